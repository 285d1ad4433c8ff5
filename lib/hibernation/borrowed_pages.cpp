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

std::tuple<std::uint32_t, std::uint64_t> place(const LentCell& each) {
  return {each.from.disk, each.from.page};
}

/// The first ones, as far as they lie close to one another.
std::span<const LentCell> together(std::span<const LentCell> pages) {
  std::size_t n = 1;
  while (n < pages.size() && pages[n].from.disk == pages[0].from.disk &&
         pages[n].from.page - pages[n - 1].from.page <= largest_gap &&
         pages[n].from.page - pages[0].from.page < read_at_once)
    ++n;
  return pages.first(n);
}

/// Those of `lent` that lie close to this one, on either side.
std::span<const LentCell> around(const LentCell& one, std::span<const LentCell> lent) {
  const auto at = std::ranges::lower_bound(lent, place(one), {}, place) - lent.begin();
  auto first = static_cast<std::size_t>(at);
  while (first > 0 && lent[first - 1].from.disk == one.from.disk &&
         lent[first].from.page - lent[first - 1].from.page <= largest_gap &&
         one.from.page - lent[first - 1].from.page < read_at_once / 2)
    --first;
  return together(lent.subspan(first));
}

}  // namespace

std::vector<LentCell> lent_cells(const SegmentFile& file, const std::vector<bool>& wanted) {
  std::vector<LentCell> out;
  for (const auto& run : file.borrows().runs())
    for (std::uint64_t i = 0; i < run.count; ++i)
      if (wanted[run.cell + i]) out.push_back({{run.from.disk, run.from.page + i}, run.cell + i});
  std::ranges::sort(out, {}, place);
  return out;
}

BorrowedPages::BorrowedPages(const ContentKey& key, DiskReader disks)
    : key_(key), disks_(std::move(disks)) {}

bool BorrowedPages::is_right(const SegmentFile& file, std::uint64_t cell,
                             std::span<const std::byte> page) const {
  return content_name(key_, page) == file.name_of_cell(cell);
}

/// Pages that lie close to one another.
void BorrowedPages::read_together(const SegmentFile& file, std::span<const LentCell> pages,
                                  const Take& take, Cost& cost) const {
  const auto first = pages.front().from.page;
  const auto& target = file.borrows().targets()[pages.front().from.disk];
  std::vector<std::byte> bytes((pages.back().from.page + 1 - first) * page_size);
  if (!disks_) throw damaged("disk " + target, "it is not at hand, and the memory has pages of it");
  disks_(target, first * page_size, bytes);
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

BorrowedPages::Cost BorrowedPages::fill(const Borrower& borrower, std::uint64_t block,
                                        std::span<std::byte> cells) const {
  const auto& [file, wanted, copy, lent] = borrower;
  Cost cost;
  const auto first = block * cells_in_block;
  const auto end = first + cells.size() / page_size;
  const auto place_of = [&](std::uint64_t cell) {
    return cells.subspan((cell - first) * page_size, page_size);
  };
  const auto place_in_copy = [&file = file](std::uint64_t cell) {
    return file.borrows().before(cell) * page_size;
  };
  const auto is_in_copy = [&, &file = file, &copy = copy](std::uint64_t cell) {
    return copy.read_bytes(place_in_copy(cell), place_of(cell)) &&
           is_right(file, cell, place_of(cell));
  };
  std::vector<LentCell> missing;
  for (auto cell = first; cell < end; ++cell) {
    if (!wanted[cell]) continue;
    const auto from = file.borrows().at(cell);
    if (!from) continue;
    if (is_in_copy(cell))
      cost.at_hand = cost.at_hand + ByteCount(page_size);
    else
      missing.push_back({*from, cell});
  }
  if (missing.empty()) return cost;
  std::ranges::sort(missing, {}, place);
  const auto take = [&, &copy = copy](const LentCell& each, std::span<const std::byte> page) {
    copy.write(place_in_copy(each.cell), page);
    if (each.cell >= first && each.cell < end)
      std::ranges::copy(page, place_of(each.cell).begin());
    else
      cost.ahead = cost.ahead + ByteCount(page_size);
  };
  const std::lock_guard lock(asking_);
  // Somebody else may have read beside it while this one waited.
  if (copy.grows()) {
    const auto read =
        std::erase_if(missing, [&](const auto& each) { return is_in_copy(each.cell); });
    cost.at_hand = cost.at_hand + ByteCount(read * page_size);
  }
  for (std::span<const LentCell> rest = missing; !rest.empty();) {
    const auto pages = copy.grows() && !lent.empty() ? around(rest[0], lent) : together(rest);
    read_together(file, pages, take, cost);
    const auto last = place(pages.back());
    rest = rest.subspan(
        static_cast<std::size_t>(std::ranges::upper_bound(rest, last, {}, place) - rest.begin()));
  }
  return cost;
}

}  // namespace satchel::hibernation
