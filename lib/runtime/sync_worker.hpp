// The daemon's side of satchel-sync: starts it, shows it the disks, hears it out. Blocking: the
// slow lane.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/handle.hpp"
#include "base/progress.hpp"
#include "sync/worker_words.hpp"

namespace satchel {

/// One disk of the generation: opened and checked, bottom first.
struct OpenDisk {
  std::string target;
  std::vector<UniqueFd> files;
};

struct WorkerRun {
  std::vector<std::string> command;  ///< of satchel-sync, or of what starts it
  sync::WorkOrder order;
  const std::vector<OpenDisk>& disks;
  ProgressSink progress;
  std::stop_token stop;
};

/// How each rule ended. When it returns or throws, nothing has the disks open any more. Throws
/// Fault for what ended the whole; retry when stopped.
std::vector<sync::RuleEnd> run_sync_worker(const WorkerRun& run);

}  // namespace satchel
