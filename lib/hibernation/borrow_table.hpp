// The cells of a segment that it does not hold itself: pages of the machine's disks, as their
// chains show them in every generation that refers to these cells (docs/DEVICE-FORMAT.md,
// "Pages by content"). Pure values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace satchel::hibernation {

/// 4096 bytes of what a guest sees of a disk.
struct DiskPage {
  std::uint32_t disk = 0;  ///< by its place in a list of targets
  std::uint64_t page = 0;  ///< its offset / 4096, below 2^51
  bool operator==(const DiskPage&) const = default;
};

class BorrowTable {
 public:
  /// So many cells one after the other, of as many pages one after the other.
  struct Run {
    std::uint64_t cell = 0;
    DiskPage from;
    std::uint64_t count = 0;
    std::uint64_t before = 0;  ///< borrowed cells before it
  };

  BorrowTable() = default;
  /// `targets`: of the machine's disks, "vda", at most 64.
  explicit BorrowTable(std::vector<std::string> targets) : targets_(std::move(targets)) {}

  /// The next cell; higher than all before.
  void add(std::uint64_t cell, DiskPage from);

  bool empty() const { return runs_.empty(); }
  std::uint64_t count() const { return empty() ? 0 : runs_.back().before + runs_.back().count; }
  const std::vector<std::string>& targets() const { return targets_; }
  const std::vector<Run>& runs() const { return runs_; }
  /// Where the cell's content is; none for a cell that the segment holds.
  std::optional<DiskPage> at(std::uint64_t cell) const;
  /// How many cells before this one are borrowed.
  std::uint64_t before(std::uint64_t cell) const;

  /// Bytes of a table that is not empty.
  std::string write() const;
  /// Refuses what does not add up, and cells from `cells` on.
  static Result<BorrowTable> read(std::string_view bytes, std::uint64_t cells);

 private:
  std::vector<Run>::const_iterator behind(std::uint64_t cell) const;

  std::vector<std::string> targets_;
  std::vector<Run> runs_;
};

}  // namespace satchel::hibernation
