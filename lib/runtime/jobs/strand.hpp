// A session without its device: its guest is saved on this host, and goes on from there when the
// device is back.
#pragma once

#include <memory>

#include "machine/writing.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

/// Saves the guest, whose disk files are of no use any more, into the session's directory and ends
/// it. The session, as its journal has it now. On failure the guest stays in memory, paused.
Task<Session> strand(Parts& parts, CapsuleId capsule);

/// Goes on with the open session on this stick: from its save image, from the guest in memory
/// (saved first, so that it gets fresh descriptors), or by booting its disks when the guest is off.
/// `start`: boot also where there is a save image, which is given up once the guest runs.
Task<Session> reattach(Parts& parts, std::shared_ptr<Stick> stick, CapsuleId capsule,
                       machine::Start start, JobContext job);

}  // namespace satchel
