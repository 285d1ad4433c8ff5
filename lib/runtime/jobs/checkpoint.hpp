// A checkpoint: what the guest is at one instant, on the device, while the guest goes on. Memory
// and disks are taken together by a live snapshot (the guest writes to new overlays from then on),
// into this computer's files; these are shipped at the pace that the order has, and committed as a
// generation that is still checked out. An eject later has only the rest to write
// (docs/decisions/0026-checkpoints.md).
#pragma once

#include <chrono>
#include <memory>

#include "format/capsule_directory.hpp"
#include "runtime/pace.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

struct CheckpointOrder {
  std::shared_ptr<Stick> stick;
  Session session;
  std::shared_ptr<Pace> pace;
};

struct Checkpointed {
  Session session;
  format::SignedHead head;
  ByteCount written;  ///< bytes that crossed to the device
  std::chrono::milliseconds took;
};

/// Until the snapshot nothing is changed. After a failure behind it the session has its earlier
/// overlays still, as frozen ones, and the journal says so: the next check-in ships them.
Task<Checkpointed> checkpoint(Parts& parts, CheckpointOrder order, JobContext job);

}  // namespace satchel
