// The session that an eject or a checkpoint is of, as its guest has it.
#pragma once

#include <string>

#include "runtime/parts.hpp"
#include "session/session.hpp"

namespace satchel {

/// Its journal. Overlays that a checkpoint had named there, and that its guest never got because
/// the daemon or libvirt was killed within it, are taken out again: they are empty, and on top of
/// those that the guest writes to. Loop thread; throws Fault. `doing`: "eject".
Task<Session> open_session(Parts& parts, CapsuleId capsule, std::string name, std::string doing);

}  // namespace satchel
