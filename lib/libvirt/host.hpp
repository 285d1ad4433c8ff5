// What this host can do, asked of libvirt. Inner header of lib/libvirt; blocking, quick lane.
#pragma once

#include "ports/hypervisor.hpp"

namespace satchel {

class Link;

HostAbility ask_ability(Link& link, Accelerator accelerator);

}  // namespace satchel
