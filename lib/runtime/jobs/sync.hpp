// The job that merges a capsule's folders into this host's: reads the newest committed generation,
// and so may run beside a running guest. Nothing of the capsule is changed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "config/config.hpp"
#include "format/head.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "runtime/sync_book.hpp"
#include "sync/sync.hpp"

namespace satchel {

struct SyncOrder {
  std::shared_ptr<Stick> stick;
  CapsuleId capsule;
  std::vector<SyncRule> rules;
  sync::Extent extent = sync::Extent::whole;
  sync::Emptiness emptiness = sync::Emptiness::refused;
};

/// A line of what was synced, for the journal.
struct SyncedLine {
  LogLevel level;
  std::string text;
  std::optional<sync::Counts> counts;  ///< where it sums a folder up
};

struct Synced {
  SyncRecord record;
  std::vector<SyncedLine> lines;
  std::optional<Fault> fault;  ///< of the first rule that failed; the others were done
};

/// Throws Fault when nothing could be synced at all, retry when cancelled.
Task<Synced> sync_files(Parts& parts, SyncOrder order, JobContext job);

}  // namespace satchel
