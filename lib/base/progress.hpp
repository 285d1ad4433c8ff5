// How long work tells how far it is. Thread-safe where said; no dependencies.
#pragma once

#include <functional>
#include <string>

#include "base/ids.hpp"

namespace satchel {

/// One report: the step under way and its bytes. `total` 0 means not known.
struct Progress {
  std::string step;  ///< gerund, for people: "writing memory"
  ByteCount done;
  ByteCount total;
};

/// Called from the thread that does the work, often; must be cheap and must not block.
using ProgressSink = std::function<void(const Progress&)>;

}  // namespace satchel
