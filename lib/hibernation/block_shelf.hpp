// Which blocks of cells are at hand while a recipe is followed: the last 64 that were needed.
// Encoder and decoder count with the same shelf, so that the encoder knows what its references will
// cost who reads them. Values only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace satchel::hibernation {

/// A block of a segment.
struct BlockId {
  std::uint32_t segment = 0;
  std::uint32_t block = 0;
  bool operator==(const BlockId&) const = default;
};

class BlockShelf {
 public:
  static constexpr std::size_t slots = 64;

  struct Place {
    std::size_t slot;
    bool missed;  ///< it was not there; what was in the slot has gone
  };
  /// The block is needed now.
  Place touch(BlockId block) {
    ++now_;
    if (entries_[last_].when != 0 && entries_[last_].block == block) {
      entries_[last_].when = now_;
      return {last_, false};
    }
    const auto found = find(block);
    entries_[found.slot] = {block, now_};
    last_ = found.slot;
    return found;
  }
  bool holds(BlockId block) const { return !find(block).missed; }

 private:
  struct Entry {
    BlockId block;
    std::uint64_t when = 0;  ///< 0: never used
  };

  Place find(BlockId block) const {
    std::size_t oldest = 0;
    for (std::size_t i = 0; i < slots; ++i) {
      if (entries_[i].when != 0 && entries_[i].block == block) return {i, false};
      if (entries_[i].when < entries_[oldest].when) oldest = i;
    }
    return {oldest, true};
  }

  std::array<Entry, slots> entries_{};
  std::size_t last_ = 0;
  std::uint64_t now_ = 0;
};

}  // namespace satchel::hibernation
