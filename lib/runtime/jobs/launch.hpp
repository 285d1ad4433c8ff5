// Starting a capsule's newest generation here: preflight before anything is touched, overlays on
// this host's disk, the check-out on the device, then memory streamed in, or a boot. Whatever fails
// is undone, the check-out included.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/words.hpp"
#include "format/capsule_directory.hpp"
#include "machine/writing.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

struct LaunchOrder {
  std::shared_ptr<Stick> stick;
  CapsuleId capsule;
  GenerationId expected;  ///< the generation that was examined; another one there now is an error
  machine::Start from = machine::Start::resume;
};

struct Launched {
  Session session;
  format::SignedHead head;  ///< the check-out
  ByteCount read;           ///< bytes that came from the device before the guest ran
  std::chrono::milliseconds took;
  std::vector<std::string> remarks;  ///< sentences: what is not as it was
};

Task<Launched> launch(Parts& parts, LaunchOrder order, JobContext job);

}  // namespace satchel
