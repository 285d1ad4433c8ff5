// What is known of the capsules' syncs: how each one's last ended, kept in the state directory.
// Owned by Parts; loop thread, but for load() and store(), which block.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace satchel {

/// How a sync ended.
struct SyncRecord {
  CapsuleId capsule;
  UnixMicros time;
  Sequence generation;  ///< that was read
  GenerationId generation_id;
  std::string message;  ///< "3 added, 1 updated"
  std::string report;   ///< JSON, as satchelctl sync --json shows it
  enum class Outcome { complete, incomplete } outcome = Outcome::incomplete;
};

class SyncBook {
 public:
  static std::vector<SyncRecord> load(const std::filesystem::path& state_directory);
  static void store(const std::filesystem::path& state_directory, const SyncRecord& record);

  void note(SyncRecord record) { last_[record.capsule] = std::move(record); }
  const SyncRecord* last(CapsuleId capsule) const;
  /// Of a dry run; kept until the daemon's end.
  void note_dry_run(SyncRecord record) { dry_runs_[record.capsule] = std::move(record); }
  const SyncRecord* last_dry_run(CapsuleId capsule) const;

 private:
  std::map<CapsuleId, SyncRecord> last_;
  std::map<CapsuleId, SyncRecord> dry_runs_;
};

}  // namespace satchel
