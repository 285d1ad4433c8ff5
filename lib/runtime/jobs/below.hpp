// What a session's overlays stand over: the files of a generation on its device, or the copies of
// its disks that this computer keeps.
#pragma once

#include <memory>
#include <string>

#include "format/capsule_directory.hpp"
#include "format/head.hpp"
#include "runtime/chains.hpp"
#include "runtime/disk_check.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

struct Below {
  format::Head head;                                  ///< the newest generation there
  OpenObject open;                                    ///< of its files; good by itself
  std::shared_ptr<format::CapsuleDirectory> capsule;  ///< that has them; none for copies
};

/// Of the newest generation on the device. Throws Fault{choose} when none is complete. Files lane.
Below below_on(const Stick& stick, const Session& session, const std::string& deed);
/// Compares what the session needs of these files, for this use, with their digests; copies were,
/// before. Throws Fault{other_device}. Files lane.
void compare_below(const Parts& parts, const Below& below, const Session& session, DiskUse use,
                   const JobContext& job);

/// Of the copies, each of which is read whole and checked before. Throws Fault{replug} when they
/// are not all here. Files lane.
Below below_on_copies(const Parts& parts, const Session& session, const std::string& deed,
                      const JobContext& job);

}  // namespace satchel
