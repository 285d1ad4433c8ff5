// What an earlier generation offers to the encoder of the next.
#include <algorithm>

#include "hibernation/block_walk.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/segment_file.hpp"

namespace satchel::hibernation {

namespace {

/// More than these and the smallest are written anew, down to half, so that it is not done at each
/// eject.
constexpr std::size_t most_kept = 16;

std::vector<std::uint64_t> alive_cells(const PageMap& map) {
  std::vector<std::vector<bool>> alive;
  for (const auto& segment : map.segments) alive.emplace_back(segment.cells, false);
  BlockWalk walk(map);
  while (const auto part = walk.next()) {
    if (part->step.kind != RecipeStep::Kind::cells) continue;
    auto& of_segment = alive[part->step.segment];
    std::fill_n(of_segment.begin() + static_cast<std::ptrdiff_t>(part->step.cell), part->step.count,
                true);
  }
  std::vector<std::uint64_t> out;
  for (const auto& each : alive)
    out.push_back(static_cast<std::uint64_t>(std::count(each.begin(), each.end(), true)));
  return out;
}

}  // namespace

std::vector<std::size_t> worth_keeping(const PageMap& map) {
  const auto alive = alive_cells(map);
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < alive.size(); ++i)
    if (alive[i] > 0 && alive[i] * 2 >= map.segments[i].cells) kept.push_back(i);
  std::ranges::stable_sort(kept, std::greater<>{}, [&](std::size_t i) { return alive[i]; });
  if (kept.size() > most_kept) kept.resize(most_kept / 2);
  // The index has an end: what does not fit is not looked up either.
  std::uint64_t names = 0;
  std::erase_if(kept, [&](std::size_t i) {
    if (names + map.segments[i].named > PageIndex::most) return true;
    names += map.segments[i].named;
    return false;
  });
  return kept;
}

PageBase read_page_base(const PageMap& map, const SegmentOpener& open) {
  PageBase out;
  out.key = map.key;
  const auto kept = worth_keeping(map);
  std::size_t names = 0;
  for (const auto i : kept) names += map.segments[i].named;
  out.index.reserve(names);
  for (const auto i : kept) {
    const auto& segment = map.segments[i];
    const auto fd = open(segment);
    read_blocks_of(fd.get(), segment);
    out.segments.push_back(segment);
    out.first.push_back(static_cast<PageIndex::Id>(out.index.size()));
    for (const auto& name : read_names_of(fd.get(), segment)) out.index.add(name);
  }
  return out;
}

}  // namespace satchel::hibernation
