// A session whose guest has lost its disk files goes on: with its device once that is back, or with
// what this host keeps of its disks.
#pragma once

#include <memory>

#include "machine/writing.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

/// Goes on with the open session on this stick: from its save image, from the guest in memory
/// (saved first, so that it gets fresh descriptors), or by booting its disks when the guest is off.
/// `start`: boot also where there is a save image, which is given up once the guest runs.
Task<Session> reattach(Parts& parts, std::shared_ptr<Stick> stick, CapsuleId capsule,
                       machine::Start start, JobContext job);

/// The same on the copies of its disks that are kept here, once all of them are read and found to
/// be as the device had them.
Task<Session> go_on_detached(Parts& parts, CapsuleId capsule, machine::Start start, JobContext job);

}  // namespace satchel
