// What of a map's segments its memory needs, and what of that the next generation would have to
// store anew although nothing changed. Pure; any thread.
#pragma once

#include <cstddef>
#include <vector>

#include "base/ids.hpp"
#include "hibernation/page_map.hpp"

namespace satchel::hibernation {

/// By the segment's place in the map: of each of its cells, whether the recipe names it.
using AliveCells = std::vector<std::vector<bool>>;
AliveCells alive_cells(const PageMap& map);

/// Which of a map's segments the next generation should refer to, by their place in the map, the
/// most useful first: those of which at least half is alive, and not many. So the device never
/// holds more than twice what a generation needs. Of more than `most` the smallest are not worth
/// it, down to half of them, so that it is not done at each eject.
std::vector<std::size_t> worth_keeping(const PageMap& map, const AliveCells& alive,
                                       std::size_t most = most_referred);

/// About how many bytes the next generation would write for cells of the other segments, and for
/// differences to such cells.
ByteCount worn(const PageMap& map);
/// Whether all is in one segment, of which nothing is dead.
bool is_compact(const PageMap& map);

}  // namespace satchel::hibernation
