#include "sync/digests.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "base/fault.hpp"
#include "sync/content.hpp"

namespace satchel::sync {
namespace {

/// What a record's side says of a file, when its stamp is still the same.
std::optional<Digest> recalled(const Seen& seen, Kind kind, const Stamp& stamp) {
  if (kind != Kind::file || seen.version.kind != kind || seen.trust != Trust::by_stamp)
    return std::nullopt;
  return seen.stamp == stamp ? seen.version.digest : std::nullopt;
}

/// Both are sorted: one walk gives each entry its record.
template <class Entries, class PathOf, class Give>
void walk(const Records& records, Entries& entries, PathOf path_of, Give give) {
  auto record = records.begin();
  for (auto& entry : entries) {
    while (record != records.end() && TreeOrder{}(record->first, path_of(entry))) ++record;
    if (record == records.end()) return;
    if (record->first == path_of(entry)) give(record->second, entry);
  }
}

class Reading : public ContentSink {
 public:
  Reading(std::vector<GuestEntry>& entries, Counts& counts, const ProgressSink& progress,
          std::stop_token stop)
      : entries_(entries), counts_(counts), progress_(progress), stop_(std::move(stop)) {}

  std::vector<std::string> expect(std::span<const std::size_t> which) {
    std::vector<std::string> paths;
    for (const std::size_t each : which) {
      const Entry& entry = entries_[each].entry;
      if (!wanted_.emplace(entry.path, each).second) continue;
      paths.push_back(entry.path);
      total_ = total_ + entry.size;
    }
    std::ranges::sort(paths, TreeOrder{});
    return paths;
  }

  void begin(const std::string& path) override {
    check_stop();
    const auto found = wanted_.find(path);
    if (found == wanted_.end())
      throw Fault(Remedy::report_bug, {"read", shown(path), "it was not asked for", {}});
    current_ = &entries_[found->second];
    wanted_.erase(found);
    digest_ = {};
  }

  void data(std::span<const std::byte> bytes) override {
    check_stop();
    counts_.read = counts_.read + ByteCount(bytes.size());
    if (digest_.length() <= current_->entry.size) digest_.data(bytes);
    if (progress_) progress_({"comparing files", counts_.read, total_});
  }

  void hole(ByteCount length) override {
    if (digest_.length() <= current_->entry.size) digest_.hole(length);
  }

  void end() override {
    if (digest_.length() == current_->entry.size)
      current_->digest = digest_.finish();
    else
      current_->refused = "its content is not as long as the guest's filesystem says";
  }

  void unreadable(const std::string& path, const std::string& why) override {
    if (const auto found = wanted_.find(path); found != wanted_.end()) {
      current_ = &entries_[found->second];
      wanted_.erase(found);
    }
    if (current_ != nullptr && current_->entry.path == path)
      current_->refused = "the guest's can't be read: " + shown(why);
  }

  void refuse_the_rest() {
    for (const auto& [path, number] : wanted_)
      entries_[number].refused = "the guest's filesystem did not give it";
  }

 private:
  void check_stop() const {
    if (stop_.stop_requested())
      throw Fault(Remedy::retry, {"sync", "the folder", "it was stopped", {}});
  }

  std::vector<GuestEntry>& entries_;
  Counts& counts_;
  const ProgressSink& progress_;
  std::stop_token stop_;
  std::unordered_map<std::string, std::size_t> wanted_;
  ByteCount total_;
  GuestEntry* current_ = nullptr;
  ContentDigest digest_;
};

}  // namespace

void recall_digests(const Records& records, std::vector<GuestEntry>& guest,
                    std::vector<HostEntry>& host) {
  walk(
      records, guest, [](const GuestEntry& each) -> const std::string& { return each.entry.path; },
      [](const Record& record, GuestEntry& each) {
        if (!each.digest)
          each.digest = recalled(record.guest, each.entry.kind, stamp_of(each.entry));
      });
  walk(
      records, host, [](const HostEntry& each) -> const std::string& { return each.path; },
      [](const Record& record, HostEntry& each) {
        if (!each.version.digest && record.host)
          each.version.digest = recalled(*record.host, each.version.kind, each.stamp);
      });
}

void digest_guest_files(GuestTree& guest, std::vector<GuestEntry>& entries,
                        std::span<const std::size_t> which, Counts& counts,
                        const ProgressSink& progress, std::stop_token stop) {
  if (which.empty()) return;
  Reading reading(entries, counts, progress, stop);
  const auto paths = reading.expect(which);
  if (!paths.empty()) guest.read(paths, reading, std::move(stop));
  reading.refuse_the_rest();
}

}  // namespace satchel::sync
