// Where the page that a generation had at an address is stored whole. Of the machine's main memory,
// which a stream tells of first; a page of another RAM block finds a stranger, or nothing. Values
// only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "hibernation/recipe.hpp"

namespace satchel::hibernation {

class Predecessors {
 public:
  /// So many pages from this address on are these cells and those behind them. What stands below
  /// the highest address so far is passed over.
  void add(std::uint64_t address, CellId first, std::uint64_t count) {
    if (!runs_.empty() && address < runs_.back().address + runs_.back().count) return;
    if (!runs_.empty() && continues(runs_.back(), address, first)) {
      runs_.back().count += count;
      return;
    }
    runs_.push_back({address, count, first});
  }

  std::optional<CellId> at(std::uint64_t address) const {
    const auto next = std::ranges::upper_bound(runs_, address, {}, &Run::address);
    if (next == runs_.begin()) return std::nullopt;
    const auto& run = *std::prev(next);
    const auto behind = address - run.address;
    if (behind >= run.count) return std::nullopt;
    return CellId{run.first.segment, run.first.cell + behind};
  }

 private:
  struct Run {
    std::uint64_t address;  ///< its page's number
    std::uint64_t count;
    CellId first;
  };

  static bool continues(const Run& run, std::uint64_t address, CellId first) {
    return run.address + run.count == address && run.first.segment == first.segment &&
           run.first.cell + run.count == first.cell;
  }

  std::vector<Run> runs_;  ///< by address
};

}  // namespace satchel::hibernation
