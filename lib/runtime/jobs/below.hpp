// What a session's overlays stand over: the files of a generation on its device, or the copies of
// its disks that this computer keeps.
#pragma once

#include "format/head.hpp"
#include "runtime/chains.hpp"
#include "runtime/disk_check.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

struct Below {
  format::Head head;  ///< the newest generation there
  OpenObject open;    ///< of its files; good by itself
};

/// Of the newest generation on the device; what the session needs of its files is checked for this
/// use. Throws Fault: choose when no generation is complete, other_device when a file is damaged.
/// Files lane.
Below below_on(const Parts& parts, const Stick& stick, const Session& session, DiskUse use,
               const std::string& deed, const JobContext& job);

/// Of the copies, each of which is read whole and checked before. Throws Fault{replug} when they
/// are not all here. Files lane.
Below below_on_copies(const Parts& parts, const Session& session, const std::string& deed,
                      const JobContext& job);

}  // namespace satchel
