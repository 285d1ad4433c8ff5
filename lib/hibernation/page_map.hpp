// The map object of codecs "zstd-pages-1" to "-3" and the table at the end of its segments
// (docs/DEVICE-FORMAT.md, "Pages by content"). Pure values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "crypto/content_name.hpp"
#include "crypto/digest.hpp"

namespace satchel::hibernation {

inline constexpr std::uint64_t cells_in_block = 256;
inline constexpr std::size_t most_segments = 64;
inline constexpr std::size_t most_referred = 16;  ///< earlier segments that are written about
inline constexpr std::uint64_t most_cells = std::uint64_t{1} << 28;  ///< of all of a map's segments
inline constexpr std::uint64_t largest_stream = std::uint64_t{1} << 44;
inline constexpr std::size_t largest_recipe = 60U << 20;
inline constexpr std::size_t largest_page_frame = (1U << 20) + (1U << 16);

/// What a map says of one segment.
struct Segment {
  std::uint64_t number = 0;    ///< of the generation that wrote it: memory/<number>.pages
  ByteCount size;              ///< of the pages object
  std::uint64_t cells = 0;     ///< of 4096 bytes
  std::uint64_t named = 0;     ///< the first so many of them have names in the segment's table
  Digest blocks;               ///< of the part of its table that tells of blocks
  Digest names;                ///< of the part that has the names
  std::uint64_t borrowed = 0;  ///< of the named cells, those that it doesn't hold itself
  ByteCount borrow_size{};     ///< of the part of its table that tells of these; 0: there are none
  Digest borrow{};
  bool operator==(const Segment&) const = default;

  std::uint64_t block_count() const { return (cells + cells_in_block - 1) / cells_in_block; }
  std::uint64_t cells_of(std::uint64_t block) const {
    return block + 1 < block_count() ? cells_in_block : cells - block * cells_in_block;
  }
};

struct PageMap {
  ContentKey key;  ///< of the cells' names
  ByteCount stream_size;
  std::vector<Segment> segments;  ///< the generation's own first
  std::string recipe;

  bool borrows() const;
};

std::string write_page_map(const PageMap& map);
/// Refuses what does not add up, names cells that are not there, or makes a reader load blocks out
/// of all proportion to the stream.
Result<PageMap> read_page_map(std::string_view bytes);

/// What the table at a segment's end says of one block.
struct PageBlock {
  std::uint32_t packed_size = 0;  ///< 0: all of its cells are borrowed
  Digest digest;                  ///< of the frame
};

/// The parts of a segment's table as they stand in it, but for its borrowed cells (BorrowTable),
/// and the frame around them.
enum class Borrows { nothing, cells };
std::string write_block_table(const std::vector<PageBlock>& blocks, Borrows borrows);
std::string write_name_table(std::span<const ContentName> names);
/// The beginning of the zstd frame, to be skipped, that holds both.
std::string write_table_frame(std::size_t tables_size);

std::size_t block_table_size(const Segment& segment);
std::size_t name_table_size(const Segment& segment);
/// Where the frames of blocks end, and where the parts of the table begin.
std::uint64_t end_of_blocks(const Segment& segment);
std::uint64_t block_table_at(const Segment& segment);
std::uint64_t borrow_table_at(const Segment& segment);
std::uint64_t name_table_at(const Segment& segment);

/// Reads a block table whose digest was checked.
Result<std::vector<PageBlock>> read_block_table(std::string_view bytes, const Segment& segment);
std::vector<ContentName> read_name_table(std::string_view bytes);

}  // namespace satchel::hibernation
