// How the page that a generation had at an address is stored. Of the machine's main memory, which a
// stream tells of first; a page of another RAM block finds a stranger, or nothing. Values only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "hibernation/recipe.hpp"

namespace satchel::hibernation {

/// A page that segments hold.
struct StoredPage {
  CellId cell;
  std::optional<CellId> below{};  ///< when the cell is a difference
  bool operator==(const StoredPage&) const = default;

  /// The cell that holds a whole page: this one, or what it differs from.
  CellId whole() const { return below.value_or(cell); }
};

class Predecessors {
 public:
  /// So many pages from this address on are stored like this one, in the cells behind its own. What
  /// stands below the highest address so far is passed over.
  void add(std::uint64_t address, const StoredPage& first, std::uint64_t count) {
    if (!runs_.empty() && address < runs_.back().address + runs_.back().count) return;
    if (!runs_.empty() && continues(runs_.back(), address, first)) {
      runs_.back().count += count;
      return;
    }
    const auto below = first.below.value_or(CellId{0, 0});
    runs_.push_back(
        {address, count, first.cell.cell, below.cell, first.cell.segment, below.segment});
  }
  /// Nothing is added any more.
  void complete() { runs_.shrink_to_fit(); }

  std::optional<StoredPage> at(std::uint64_t address) const {
    const auto next = std::ranges::upper_bound(runs_, address, {}, &Run::address);
    if (next == runs_.begin()) return std::nullopt;
    const auto& run = *std::prev(next);
    const auto further = address - run.address;
    if (further >= run.count) return std::nullopt;
    return behind(run.first(), further);
  }

 private:
  struct Run {
    std::uint64_t address;  ///< its page's number
    std::uint64_t count;
    // The first page's cells; segment 0 below: it is stored whole. Packed: there are as many runs
    // as a guest's memory is in pieces.
    std::uint64_t cell;
    std::uint64_t below_cell;
    std::uint32_t segment;
    std::uint32_t below_segment;

    StoredPage first() const {
      StoredPage out{{segment, cell}};
      if (below_segment != 0) out.below = CellId{below_segment, below_cell};
      return out;
    }
  };

  static StoredPage behind(StoredPage page, std::uint64_t further) {
    page.cell.cell += further;
    if (page.below) page.below->cell += further;
    return page;
  }

  static bool continues(const Run& run, std::uint64_t address, const StoredPage& first) {
    return run.address + run.count == address && behind(run.first(), run.count) == first;
  }

  std::vector<Run> runs_;  ///< by address
};

}  // namespace satchel::hibernation
