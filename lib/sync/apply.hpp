// Does what a plan says: in batches, each on the medium before it is remembered. Inside lib/sync
// only. Blocking; one thread.
#pragma once

#include <cstddef>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/progress.hpp"
#include "sync/content.hpp"
#include "sync/guest_tree.hpp"
#include "sync/host_tree.hpp"
#include "sync/host_write.hpp"
#include "sync/plan.hpp"
#include "sync/state.hpp"
#include "sync/trash.hpp"

namespace satchel::sync {

class Application : private ContentSink {
 public:
  struct Parts {
    HostTree& tree;
    Trash& trash;
    State& state;
    GuestTree& guest;
    const std::vector<GuestEntry>& entries;
    std::string capsule;
    std::string moment;
    const ProgressSink& progress;
    std::stop_token stop;
  };
  Application(const Parts& parts, Report& report) : parts_(parts), report_(report) {}
  ~Application() override = default;

  /// Throws Fault; what was done until then counts, and the rest is for the next time.
  void run(const Plan& plan);

 private:
  // A draft that is whole, and what it is for.
  struct Ready {
    const Action* action;
    Draft draft;
    std::optional<Digest> digest;
  };

  void begin(const std::string& path) override;
  void data(std::span<const std::byte> bytes) override;
  void hole(ByteCount length) override;
  void end() override;
  void unreadable(const std::string& path, const std::string& why) override;

  void take_away(const Action& action);
  void part_with(const Action& action);
  void make_directory(const Action& action);
  void write_files(const std::vector<const Action*>& files);
  void write_link(const Action& action);
  void restamp(const Action& action);
  void set_times(const Plan& plan);

  bool is_batch_full() const;
  bool has_length(std::uint64_t more);
  void flush();
  void settle();
  void install(Ready& ready);
  void install_beside(Ready& ready);
  OrObstacle<Found> settle_for_another_name(Ready& ready);
  void done(const Action& action, const Found& found, const std::optional<Digest>& digest);
  void remember(const Action& action, const Found& found, const std::optional<Digest>& digest);
  void skip(const Action& action, const std::string& why);
  bool is_in_failed_directory(std::string_view path) const;
  void check_stop() const;
  const GuestEntry& entry_of(const Action& action) const { return parts_.entries[*action.from]; }

  Parts parts_;
  Report& report_;
  std::unordered_map<std::string, const Action*> wanted_;  // files that are read
  std::set<std::string, TreeOrder> failed_directories_;    // where nothing can go
  std::set<std::string, TreeOrder> made_;
  ByteCount total_;

  // The file that is being read.
  const Action* current_ = nullptr;
  std::optional<Draft> draft_;
  std::optional<ContentDigest> digest_;
  std::optional<std::string> failure_;

  std::vector<Ready> ready_;  // whole, not installed
  std::uint64_t ready_bytes_ = 0;
  std::vector<RecordChange> settling_;  // done on the host, not yet on its medium
};

}  // namespace satchel::sync
