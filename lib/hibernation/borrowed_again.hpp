// What a memory borrows of its disks, found by name: so that it is borrowed of them once more when
// segments are written anew (docs/decisions/0035-compaction.md). Files lane.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "hibernation/disk_pages.hpp"
#include "hibernation/page_codec.hpp"

namespace satchel::hibernation {

/// `targets`: of the machine's disks, whose chains show what the map's memory needs of them.
/// `stay`: those of its segments that are not written anew. Throws Fault when another is not there
/// or its table is damaged.
DiskPages borrowed_again(const PageMap& map, const SegmentOpener& open,
                         std::vector<std::string> targets, std::span<const Segment> stay = {});

}  // namespace satchel::hibernation
