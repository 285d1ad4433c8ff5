// What this computer remembers of a capsule beyond its sessions, besides what sessions.hpp tells
// of.
#pragma once

#include "runtime/parts.hpp"

namespace satchel {

/// That the capsule was made from a machine of this host, see remember_packed(). No error when
/// nothing is remembered. Files lane.
void forget_packed(const Parts& parts, CapsuleId capsule);

}  // namespace satchel
