#include "hibernation/alive_cells.hpp"

#include <algorithm>
#include <functional>

#include "hibernation/block_walk.hpp"
#include "hibernation/page_index.hpp"
#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

namespace {

std::uint64_t count_of(const std::vector<bool>& cells) {
  return static_cast<std::uint64_t>(std::count(cells.begin(), cells.end(), true));
}

/// Of cells in segments that are kept, those that are differences to what is not.
AliveCells cut_off(const PageMap& map, const std::vector<bool>& is_kept) {
  AliveCells out;
  for (const auto& segment : map.segments) out.emplace_back(segment.cells, false);
  BlockWalk walk(map);
  while (const auto part = walk.next()) {
    const auto& step = part->step;
    if (step.kind != RecipeStep::Kind::differences) continue;
    if (!is_kept[step.segment] || is_kept[step.below_segment]) continue;
    std::fill_n(out[step.segment].begin() + static_cast<std::ptrdiff_t>(step.cell), step.count,
                true);
  }
  return out;
}

/// What a cell of the segment takes on the device, about.
std::uint64_t size_of_cell(const Segment& segment) {
  const auto stored = segment.cells - std::min(segment.cells, segment.borrowed);
  return stored == 0 ? page_size : std::min<std::uint64_t>(segment.size.value / stored, page_size);
}

}  // namespace

AliveCells alive_cells(const PageMap& map) {
  AliveCells alive;
  for (const auto& segment : map.segments) alive.emplace_back(segment.cells, false);
  const auto mark = [&](std::uint32_t segment, std::uint64_t cell, std::uint64_t count) {
    std::fill_n(alive[segment].begin() + static_cast<std::ptrdiff_t>(cell), count, true);
  };
  BlockWalk walk(map);
  while (const auto part = walk.next()) {
    const auto& step = part->step;
    const bool is_difference = step.kind == RecipeStep::Kind::differences;
    if (is_difference) mark(step.below_segment, step.below_cell, step.count);
    if (is_difference || step.kind == RecipeStep::Kind::cells)
      mark(step.segment, step.cell, step.count);
  }
  return alive;
}

std::vector<std::size_t> worth_keeping(const PageMap& map, const AliveCells& alive,
                                       std::size_t most) {
  std::vector<std::uint64_t> count;
  for (const auto& each : alive) count.push_back(count_of(each));
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < count.size(); ++i)
    if (count[i] > 0 && count[i] * 2 >= map.segments[i].cells) kept.push_back(i);
  std::ranges::stable_sort(kept, std::greater<>{}, [&](std::size_t i) { return count[i]; });
  if (kept.size() > most) kept.resize(most_referred / 2);
  // The index has an end: what does not fit is not looked up either.
  std::uint64_t names = 0;
  std::erase_if(kept, [&](std::size_t i) {
    if (names + map.segments[i].named > PageIndex::most) return true;
    names += map.segments[i].named;
    return false;
  });
  return kept;
}

ByteCount worn(const PageMap& map) {
  const auto alive = alive_cells(map);
  std::vector<bool> is_kept(map.segments.size(), false);
  for (const auto i : worth_keeping(map, alive)) is_kept[i] = true;
  const auto cut = cut_off(map, is_kept);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < map.segments.size(); ++i)
    sum += count_of(is_kept[i] ? cut[i] : alive[i]) * size_of_cell(map.segments[i]);
  return ByteCount(sum);
}

bool is_compact(const PageMap& map) {
  const auto alive = alive_cells(map);
  return alive.size() == 1 && count_of(alive.front()) == map.segments.front().cells;
}

}  // namespace satchel::hibernation
