// The clock of a guest that goes on after it was saved: it stands at the instant of the save.
#pragma once

#include <string>

#include "runtime/parts.hpp"

namespace satchel {

/// Sets it from the host's, through the guest's agent, beside what comes next: an agent may take
/// seconds, and the guest runs. Where that can't be done the log says so and the guest runs on with
/// the clock that it has: no reason to end one that runs. Loop thread.
void set_guest_clock(Parts& parts, DomainId domain, std::string name);

}  // namespace satchel
