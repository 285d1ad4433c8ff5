#include "hibernation/disk_pages.hpp"

#include <algorithm>
#include <utility>

namespace satchel::hibernation {

DiskPages::DiskPages(std::vector<std::string> targets)
    : targets_(std::move(targets)), written_(targets_.size()) {}

void DiskPages::note_written(std::uint32_t disk, std::uint64_t first, std::uint64_t count) {
  auto& ranges = written_[disk];
  if (!ranges.empty() && first <= ranges.back().end)
    ranges.back().end = std::max(ranges.back().end, first + count);
  else
    ranges.push_back({first, first + count});
}

void DiskPages::add(const ContentName& name, DiskPage page) {
  if (places_.size() == most) return;
  index_.add(name);
  places_.push_back(page);
}

std::optional<DiskPage> DiskPages::find(const ContentName& name) const {
  const auto id = index_.find(name);
  if (!id) return std::nullopt;
  return places_[*id];
}

bool DiskPages::is_unwritten(const std::string& target, std::uint64_t page) const {
  const auto disk = std::ranges::find(targets_, target);
  if (disk == targets_.end()) return false;
  const auto& ranges = written_[static_cast<std::size_t>(disk - targets_.begin())];
  const auto next = std::ranges::upper_bound(ranges, page, {}, &Range::first);
  return next == ranges.begin() || page >= std::prev(next)->end;
}

}  // namespace satchel::hibernation
