// Cuts QEMU's stream into what the page codec stores: pages, and whatever stands between them. Long
// stretches that are no pages are cut into cells of a page's size from where they begin, so that a
// device's state that did not change is found again. Pure; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

struct Piece {
  enum class Kind : std::uint8_t {
    text,    ///< 1 to 4095 bytes as they stand
    bare,    ///< 4096 bytes: a page or as much of something else
    record,  ///< a page behind its record's header
    fill,    ///< records of pages of zeros whose addresses follow one another
  };
  Kind kind = Kind::text;
  std::uint32_t size = 0;     ///< of the stream
  std::size_t at = 0;         ///< where it begins in the bytes that were cut
  std::uint64_t address = 0;  ///< of records and fills: the (first) page's number
};

class StreamCutter {
 public:
  /// Appends the pieces that `bytes` begin with, in order and without gaps, and gives how many
  /// bytes they are. What is left (all of it taken at the end, and otherwise less than
  /// `longest_rest`) is given again with more behind it.
  std::size_t cut(std::span<const std::byte> bytes, StreamParser::Ended ended,
                  std::vector<Piece>& pieces);

  static constexpr std::size_t longest_rest = StreamParser::longest_look + page_size;

 private:
  StreamParser parser_;
  std::size_t parsed_ = 0;  ///< bytes at the beginning that the parser has passed: part of a cell
};

}  // namespace satchel::hibernation
