// Finds page boundaries in QEMU's migration stream (docs/decisions/0018-pages-by-content.md). It
// knows just enough for that; everything else is bytes. Whatever it believes, what it gives adds up
// to the stream as it came, so a stream that it misreads costs space and never a byte. Pure; one
// thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace satchel::hibernation {

inline constexpr std::size_t page_size = 4096;

/// What comes next in the stream.
struct StreamItem {
  enum class Kind {
    bytes,   ///< anything else
    page,    ///< 4096 bytes of a guest's memory, its record's header went before as bytes
    record,  ///< a header of 8 bytes, with `address`, and a page behind it
    fill,    ///< the same with one zero byte instead of the page: a page of zeros
  };
  Kind kind = Kind::bytes;
  std::size_t size = 0;  ///< of the stream, 1 or more
  /// For record and fill: the page's number in its block of memory, as the header has it.
  std::uint64_t address = 0;
};

/// The first 8 bytes of a record, as a big-endian number.
constexpr std::uint64_t record_header(std::uint64_t address) { return address << 12 | 0x28; }
constexpr std::uint64_t fill_header(std::uint64_t address) { return address << 12 | 0x22; }
inline constexpr std::size_t header_size = 8;
inline constexpr std::size_t record_size = header_size + page_size;
inline constexpr std::size_t fill_size = header_size + 1;

class StreamParser {
 public:
  enum class Ended { no, yes };  ///< whether `bytes` reach to the end of the stream

  /// What `bytes` begin with. They are the stream from where the items so far have ended. None:
  /// more is needed to tell, which is never so with `longest_look` bytes or at the end, unless
  /// nothing is left.
  std::optional<StreamItem> next(std::span<const std::byte> bytes, Ended ended);

  static constexpr std::size_t longest_look = record_size + 1024;

 private:
  enum class Expecting { start, section, blocks, record, page, anything };
  class Look;

  std::optional<StreamItem> in_section(Look& look);
  std::optional<StreamItem> in_blocks(Look& look);
  std::optional<StreamItem> in_record(Look& look);
  std::optional<StreamItem> past_unknown(std::span<const std::byte> bytes, Ended ended);
  std::optional<StreamItem> lost(Look& look);

  Expecting expecting_ = Expecting::start;
  std::optional<std::uint32_t> ram_section_;
  std::uint64_t blocks_left_ = 0;  ///< bytes of memory whose blocks were not named yet
};

}  // namespace satchel::hibernation
