// The second copy of what a check-in or checkpoint writes of the memory: begun on this computer's
// disk, and kept in its cache after the commit. Files lane, but for what is a task.
#pragma once

#include <memory>

#include "format/head.hpp"
#include "runtime/jobs/rescue.hpp"
#include "runtime/jobs/shipment.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

/// A copy of the session's memory on this computer, as far as its disk has room.
std::shared_ptr<Rescue> begin_rescue(const Parts& parts, const std::shared_ptr<Stick>& stick,
                                     const Session& session, const Shipment& shipment);

/// The memory that was written stays here too, for the next time.
void keep_here(const Parts& parts, const Shipment& shipment, const Rescue& rescue,
               const format::Head& committed);

/// After an eject or a snapshot that has taken all of the memory and whose guest was to run on. One
/// that stands still all the same may be stuck: QEMU let go of its disks, does not get them back
/// from a device that is gone, or was paused and is not to have them back, and gives its memory no
/// second time. Its copy is kept for the next save to this computer, which finds out whether that
/// is so (strand()). Failures are warnings.
Task<void> keep_for_stuck_guest(Parts& parts, Session session, const Rescue& rescue);

}  // namespace satchel
