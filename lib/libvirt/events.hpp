// libvirt's event codes as GuestEvents. Pure; usable from any thread. Inner header of lib/libvirt.
#pragma once

#include <optional>

#include "libvirt/link.hpp"
#include "ports/hypervisor.hpp"

namespace satchel {

/// For a lifecycle event (virDomainEventType and its detail); none for what no listener cares
/// about, such as definitions that come and go.
std::optional<GuestEvent> guest_event(DomainId id, int event, int detail);

/// For a block job's status (virConnectDomainEventBlockJobStatus); none when it goes on.
std::optional<BlockJobEnd> block_job_end(int status);

/// For a domain's state and reason (virDomainState).
GuestState guest_state(int state, int reason);

}  // namespace satchel
