// libvirt's event codes as GuestEvents. Pure; usable from any thread. Inner header of lib/libvirt.
#pragma once

#include <optional>

#include "ports/hypervisor.hpp"

namespace satchel {

/// For a lifecycle event (virDomainEventType and its detail); none for what no listener cares
/// about, such as definitions that come and go.
std::optional<GuestEvent> guest_event(DomainId id, int event, int detail);

/// For a domain's state and reason (virDomainState).
GuestState guest_state(int state, int reason);

}  // namespace satchel
