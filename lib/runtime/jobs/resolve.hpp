// What becomes of a session whose device went on elsewhere, where its user chooses to keep it: a
// capsule of its own beside the device's, or plain files. The session itself is left as it is: who
// calls drops it once this has ended well. Loop thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/jobs/export.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"

namespace satchel {

struct KeptBeside {
  format::SignedHead head;               ///< of the new capsule, generation 1
  std::vector<std::string> left_behind;  ///< sentences: what of the machine does not travel
};

/// Makes the session a capsule of its own, at rest, on the device that it was begun over. A guest
/// still in memory is saved first. Nothing is left on the device when it fails. Throws Fault.
Task<KeptBeside> keep_beside(Parts& parts, std::shared_ptr<Stick> stick, CapsuleId capsule,
                             JobContext job);

/// Writes the session as plain files; `order.layout` is flat. Without a stick in the order it is
/// put together from the copies of its disks that this computer keeps. Throws Fault.
Task<Exported> export_session(Parts& parts, ExportOrder order, JobContext job);

}  // namespace satchel
