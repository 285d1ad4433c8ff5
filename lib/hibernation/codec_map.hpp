// The map object of codec "zstd-blocks-1" (docs/DEVICE-FORMAT.md, "The map"): which blocks the
// pages object is made of. Pure values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "crypto/digest.hpp"

namespace satchel::hibernation {

inline constexpr std::size_t largest_raw_block = 16U << 20;
/// More than zstd ever makes of the largest block (ZSTD_compressBound).
inline constexpr std::size_t largest_packed_block = largest_raw_block + (1U << 17);
inline constexpr std::size_t most_blocks = 1U << 20;

struct BlockEntry {
  std::uint32_t packed_size;  ///< bytes of the zstd frame
  std::uint32_t raw_size;     ///< bytes of the stream in it
  Digest digest;              ///< of the frame
};

struct BlockTable {
  std::vector<BlockEntry> blocks;
  ByteCount stream_size;
  ByteCount pages_size;

  /// Appends, and counts.
  void add(const BlockEntry& block);
};

std::string write_map(const BlockTable& table);
/// Refuses whatever write_map() would not have written.
Result<BlockTable> read_map(std::string_view map);

}  // namespace satchel::hibernation
