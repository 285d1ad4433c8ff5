#include "hibernation/borrowed_again.hpp"

#include <algorithm>
#include <utility>

#include "hibernation/alive_cells.hpp"
#include "hibernation/segment_file.hpp"

namespace satchel::hibernation {

DiskPages borrowed_again(const PageMap& map, const SegmentOpener& open,
                         std::vector<std::string> targets, std::span<const Segment> stay) {
  DiskPages out(std::move(targets));
  const auto alive = alive_cells(map);
  for (std::size_t i = 0; i < map.segments.size(); ++i) {
    const auto& segment = map.segments[i];
    if (segment.borrowed == 0 || std::ranges::count(stay, segment) > 0) continue;
    const SegmentFile file(open(segment), segment);
    const auto& table = file.borrows();
    for (const auto& run : table.runs()) {
      const auto disk = std::ranges::find(out.targets(), table.targets()[run.from.disk]);
      if (disk == out.targets().end()) continue;
      const auto place = static_cast<std::uint32_t>(disk - out.targets().begin());
      // Of what nobody needs any more the disk may show something else.
      for (std::uint64_t n = 0; n < run.count; ++n)
        if (alive[i][run.cell + n])
          out.add(file.name_of_cell(run.cell + n), {place, run.from.page + n});
    }
  }
  return out;
}

}  // namespace satchel::hibernation
