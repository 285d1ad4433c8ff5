// What is known of the capsules' syncs: how each one's last ended, kept in the state directory, and
// which one is under way. At most one sync runs on a host at a time. Owned by Parts; loop thread,
// but for load() and store(), which block.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/lanes.hpp"
#include "base/ids.hpp"
#include "core/words.hpp"

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

  struct Reading {
    CapsuleId capsule;
    core::Insertion device;
    std::function<void()> stop;
    std::function<void()> ended;  ///< told once it has, the book open to the next
  };
  /// While one lives, the sync is under way.
  class Ticket {
   public:
    Ticket(SyncBook& book, boost::asio::any_io_executor loop, Reading reading);
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    SyncBook& book_;
    std::shared_ptr<boost::asio::steady_timer> ended_;
  };
  /// The capsule whose files are being read now.
  std::optional<CapsuleId> reading() const;
  /// Whether one reads this device.
  bool reads(core::Insertion device) const { return reading_ && reading_->device == device; }

  /// Has the sync that reads this device end soon.
  void stop_on(core::Insertion device) const;
  /// Stops the sync that reads this device, or this capsule, and waits for its end.
  Task<void> end_on(core::Insertion device);
  Task<void> end_of(CapsuleId capsule);

 private:
  Task<void> end();

  std::map<CapsuleId, SyncRecord> last_;
  std::map<CapsuleId, SyncRecord> dry_runs_;
  std::optional<Reading> reading_;
  std::weak_ptr<boost::asio::steady_timer> ended_;
};

}  // namespace satchel
