// A session without its device: its guest is saved on this host.
#pragma once

#include <string>

#include "runtime/parts.hpp"
#include "session/session.hpp"

namespace satchel {

/// Saves the guest, whose disk files are of no use any more, into the session's directory and ends
/// it. The session, as its journal has it now. On failure the guest stays in memory, paused.
Task<Session> strand(Parts& parts, CapsuleId capsule);

/// A save image that an earlier save left, which was cut short, becomes the session's where it has
/// all of the memory and no disk was written to since. Gives what speaks against that, as a clause;
/// empty when it is the session's now. Files lane; throws Fault or std::filesystem's errors.
std::string take_cut_short(const Parts& parts, const Session& session);

}  // namespace satchel
