#include "sync/listing.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/fault.hpp"
#include "sync/content.hpp"

namespace satchel::sync {
namespace {

constexpr std::size_t most_entries = 4U << 20;  // about 7 GB
constexpr std::size_t longest_link = 4095;
constexpr UnixNanos clock_step(2'000'000'000);  // FAT's is the coarsest
constexpr std::size_t told_each = 1024;

/// Whether what stands there is carried at all.
std::string refusal_of(const Entry& entry) {
  switch (entry.kind) {
    case Kind::file:
    case Kind::directory:
      return {};
    case Kind::link:
      if (entry.link_target.size() > longest_link) return "it is a link that is too long";
      if (stays_inside(entry.path, entry.link_target)) return {};
      return "it is a link that leads out of the folder, to " + shown(entry.link_target);
    case Kind::other:
      break;
  }
  return "it is no file: " + (entry.what.empty() ? "of an unknown kind" : shown(entry.what));
}

Trust trust_of(const Entry& entry, UnixNanos as_of) {
  const std::int64_t latest = std::max(entry.mtime.value, entry.changed.value);
  if (as_of == UnixNanos() || latest < as_of.value - clock_step.value) return Trust::by_stamp;
  return Trust::by_digest;
}

GuestEntry taken(Entry entry, UnixNanos as_of) {
  GuestEntry out;
  out.refused = refusal_of(entry);
  out.trust = trust_of(entry, as_of);
  if (entry.kind == Kind::link) out.digest = link_digest(entry.link_target);
  if (entry.kind == Kind::directory) out.digest = Digest{};
  if (entry.kind != Kind::file) entry.size = entry.allocated = {};
  if (entry.kind == Kind::directory) out.trust = Trust::by_stamp;
  out.entry = std::move(entry);
  return out;
}

class Filter {
 public:
  Filter(Listing& out, UnixNanos as_of) : out_(out), as_of_(as_of) {}

  void take(Entry entry) {
    if (!dropped_.empty() && is_below(entry.path, dropped_)) return;
    while (!directories_.empty() && !is_below(entry.path, directories_.back()))
      directories_.pop_back();
    if (const auto why = refusal_of_path(entry.path)) return drop(std::move(entry), *why);
    if (!out_.entries.empty() && out_.entries.back().entry.path == entry.path) {
      // Of what is below a folder that is there twice, nothing is known to be gone.
      auto& first = out_.entries.back();
      if (first.entry.kind == Kind::directory || entry.kind == Kind::directory)
        first.refused = "the guest's filesystem has it twice";
      return drop(std::move(entry), "the guest's filesystem has it twice");
    }
    const std::string_view above =
        directories_.empty() ? std::string_view() : std::string_view(directories_.back());
    if (parent_of(entry.path) != above)
      return drop(std::move(entry), "the guest's filesystem has no folder for it");
    if (entry.kind == Kind::directory) directories_.push_back(entry.path);
    out_.entries.push_back(taken(std::move(entry), as_of_));
  }

 private:
  // One line for it and all that is below.
  void drop(Entry entry, const std::string& why) {
    out_.lines.push_back({Mark::attention, entry.path, "not carried: " + why});
    dropped_ = std::move(entry.path);
  }

  Listing& out_;
  UnixNanos as_of_;
  std::vector<std::string> directories_;  // those above, from the top down
  std::string dropped_;
};

}  // namespace

Listing take_listing(GuestTree& guest, UnixNanos as_of, const ProgressSink& progress,
                     std::stop_token stop) {
  std::vector<Entry> all;
  const auto sink = [&](Entry entry) {
    if (all.size() >= most_entries)
      throw Fault(Remedy::fix_config, {"list", "the guest's folder", "it has too many files",
                                       "Set a folder further down to be synced."});
    all.push_back(std::move(entry));
    if (progress && all.size() % told_each == 0) progress({"listing the guest's files", {}, {}});
  };
  guest.list(sink, std::move(stop));
  // In tree order a path's parents come before it, whatever order they were listed in.
  std::ranges::stable_sort(all, TreeOrder{}, &Entry::path);
  Listing out;
  out.entries.reserve(all.size());
  Filter filter(out, as_of);
  for (Entry& entry : all) filter.take(std::move(entry));
  return out;
}

}  // namespace satchel::sync
