// Single cells of segments, for the encoder to compare with. Keeps the blocks that were used last.
// Blocking; one thread at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hibernation/page_codec.hpp"
#include "hibernation/segment_file.hpp"

namespace satchel::hibernation {

class CellReader {
 public:
  CellReader(std::vector<Segment> segments, SegmentOpener open);

  /// The cell's 4096 bytes, checked, until the next call. None where it can't be had: it is
  /// borrowed, or of a segment that is not there or damaged, which is not tried again.
  std::optional<std::span<const std::byte>> read(std::size_t segment, std::uint64_t cell) noexcept;

  /// Why the first cell could not be had; empty while all could.
  const std::string& trouble() const { return trouble_; }

 private:
  struct Block {
    std::size_t segment = 0;
    std::uint64_t block = 0;
    std::uint64_t when = 0;  ///< 0: never used
    std::vector<std::byte> cells;
  };
  struct Opened {
    std::optional<SegmentFile> file;
    SegmentFile::Window window;
    bool failed = false;
  };
  static constexpr std::size_t most_blocks = 16;

  const Block& block(std::size_t segment, std::uint64_t number);

  std::vector<Segment> segments_;
  SegmentOpener open_;
  std::vector<Opened> opened_;
  std::vector<Block> blocks_;
  std::vector<std::byte> packed_;
  std::uint64_t now_ = 0;
  std::string trouble_;
};

}  // namespace satchel::hibernation
