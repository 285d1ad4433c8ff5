#include "hibernation/borrowed_pages.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/fault.hpp"
#include "hibernation/frames.hpp"
#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

namespace {

/// Reading what lies between costs less than asking once more; in pages.
constexpr std::uint64_t largest_gap = 16;
constexpr std::uint64_t read_at_once = 256;

}  // namespace

BorrowedPages::BorrowedPages(const ContentKey& key, DiskReader disks)
    : key_(key), disks_(std::move(disks)) {}

bool BorrowedPages::is_right(const SegmentFile& file, std::uint64_t cell,
                             std::span<const std::byte> page) const {
  return content_name(key_, page) == file.name_of_cell(cell);
}

/// Pages that lie close to one another.
void BorrowedPages::read_together(
    const SegmentFile& file, std::span<const Missing> pages,
    const std::function<void(const Missing&, std::span<const std::byte>)>& take, Cost& cost) const {
  const auto first = pages.front().from.page;
  const auto& target = file.borrows().targets()[pages.front().from.disk];
  std::vector<std::byte> bytes((pages.back().from.page + 1 - first) * page_size);
  if (!disks_) throw damaged("disk " + target, "it is not at hand, and the memory has pages of it");
  {
    const std::lock_guard lock(asking_);
    disks_(target, first * page_size, bytes);
  }
  cost.read = cost.read + ByteCount(bytes.size());
  for (const auto& each : pages) {
    const auto page =
        std::span<const std::byte>(bytes).subspan((each.from.page - first) * page_size, page_size);
    if (!is_right(file, each.cell, page))
      throw damaged("page " + std::to_string(each.from.page) + " of disk " + target,
                    "it is not what it was when the memory was saved");
    take(each, page);
  }
}

BorrowedPages::Cost BorrowedPages::fill(const SegmentFile& file, std::uint64_t block,
                                        const std::vector<bool>& wanted, std::span<std::byte> cells,
                                        const LocalCopy& copy) const {
  Cost cost;
  const auto first = block * cells_in_block;
  const auto end = first + cells.size() / page_size;
  const auto place_of = [&](std::uint64_t cell) {
    return cells.subspan((cell - first) * page_size, page_size);
  };
  const auto place_in_copy = [&](std::uint64_t cell) {
    return file.borrows().before(cell) * page_size;
  };
  std::vector<Missing> missing;
  for (auto cell = first; cell < end; ++cell) {
    if (!wanted[cell]) continue;
    const auto from = file.borrows().at(cell);
    if (!from) continue;
    if (copy.read_bytes(place_in_copy(cell), place_of(cell)) &&
        is_right(file, cell, place_of(cell)))
      cost.at_hand = cost.at_hand + ByteCount(page_size);
    else
      missing.push_back({*from, cell});
  }
  std::ranges::sort(missing, {},
                    [](const Missing& each) { return std::tuple(each.from.disk, each.from.page); });
  const auto take = [&](const Missing& each, std::span<const std::byte> page) {
    std::ranges::copy(page, place_of(each.cell).begin());
    copy.write(place_in_copy(each.cell), page);
  };
  for (std::span<const Missing> rest = missing; !rest.empty();) {
    std::size_t n = 1;
    while (n < rest.size() && rest[n].from.disk == rest[0].from.disk &&
           rest[n].from.page - rest[n - 1].from.page <= largest_gap &&
           rest[n].from.page - rest[0].from.page < read_at_once)
      ++n;
    read_together(file, rest.first(n), take, cost);
    rest = rest.subspan(n);
  }
  return cost;
}

}  // namespace satchel::hibernation
