// A session without its device: its guest is saved on this host.
#pragma once

#include "runtime/parts.hpp"
#include "session/session.hpp"

namespace satchel {

/// Saves the guest, whose disk files are of no use any more, into the session's directory and ends
/// it. The session, as its journal has it now. On failure the guest stays in memory, paused.
Task<Session> strand(Parts& parts, CapsuleId capsule);

}  // namespace satchel
