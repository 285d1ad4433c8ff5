// A segment's pages object, read: its table, verified, and frames of blocks in large pieces. One
// thread at a time.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/handle.hpp"
#include "hibernation/borrow_table.hpp"
#include "hibernation/local_segments.hpp"
#include "hibernation/page_map.hpp"

namespace satchel::hibernation {

/// "the memory of generation 7": for people.
std::string name_of(const Segment& segment);

std::vector<PageBlock> read_blocks_of(int fd, const Segment& segment);
std::vector<ContentName> read_names_of(int fd, const Segment& segment);
/// Every borrowed cell has a name.
BorrowTable read_borrows_of(int fd, const Segment& segment);

class SegmentFile {
 public:
  /// Throws Fault when a table is not what the map says.
  SegmentFile(UniqueFd fd, const Segment& segment);

  const PageBlock& block(std::size_t index) const { return blocks_[index]; }
  const BorrowTable& borrows() const { return borrows_; }
  /// Of a cell that is borrowed.
  const ContentName& name_of_cell(std::uint64_t cell) const { return names_[cell]; }
  /// How many of the block's cells its frame holds.
  std::uint64_t stored_in(std::uint64_t block) const;
  /// Moves these, which are the first of `cells`, to where they belong in the block; the others
  /// become zeros.
  void spread(std::uint64_t block, std::span<std::byte> cells) const;
  /// Where the block's frame begins in the file.
  std::uint64_t offset(std::size_t index) const { return offsets_[index]; }
  /// Gives a copy what is needed to read its blocks.
  void keep_tables(const LocalCopy& copy) const;
  /// That it will be read some time: only what is needed is read beyond what was asked for.
  void need(std::size_t index) { needed_[index] = true; }

  /// What is read of the file beyond what was asked for, while going forward.
  struct Window {
    std::size_t size = 0;  ///< as much at once, when there is so much
    std::vector<std::byte> bytes{};
    std::uint64_t from = 0;  ///< where the bytes begin in the file
    std::uint64_t read = 0;  ///< bytes read so far
  };
  /// The block's frame as the file has it.
  void read_frame(std::size_t index, Window& window, std::vector<std::byte>& frame) const;

 private:
  std::uint64_t end_of_window(std::size_t index, std::size_t size) const;

  UniqueFd fd_;
  Segment segment_;
  std::vector<PageBlock> blocks_;
  BorrowTable borrows_;
  std::vector<ContentName> names_;  ///< none where nothing is borrowed
  std::vector<bool> needed_;
  std::vector<std::uint64_t> offsets_;  ///< of each frame, and of the end of the last
  std::string name_;
};

}  // namespace satchel::hibernation
