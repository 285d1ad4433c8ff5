#include "hibernation/stream_parser.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace satchel::hibernation {

namespace {

constexpr std::uint32_t stream_magic = 0x5145564d;  // "QEVM"
constexpr std::uint32_t stream_version = 3;
constexpr std::string_view ram = "ram";

// Kinds of sections (QEMU's migration/savevm.h).
constexpr std::uint8_t section_start = 0x01;
constexpr std::uint8_t section_part = 0x02;
constexpr std::uint8_t section_end = 0x03;
constexpr std::uint8_t section_configuration = 0x07;
constexpr std::uint8_t section_footer = 0x7e;

// Flags of records (QEMU's migration/ram.c).
constexpr std::uint64_t flags_mask = 0xfff;
constexpr std::uint64_t is_zero = 0x02;
constexpr std::uint64_t is_blocks = 0x04;
constexpr std::uint64_t is_page = 0x08;
constexpr std::uint64_t is_end = 0x10;
constexpr std::uint64_t same_block = 0x20;
constexpr std::uint64_t is_flush = 0x200;

/// Behind what is not known: a section's footer and the beginning of the next of memory.
constexpr std::size_t part_mark = 10;
/// The beginning of memory's first section: kind, number, 3, "ram", instance 0, version 4.
constexpr std::size_t start_mark = 17;

std::uint64_t number_at(std::span<const std::byte> bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value = value << 8 | std::to_integer<unsigned>(bytes[at + i]);
  return value;
}

bool begins_memory(std::span<const std::byte> bytes) {
  constexpr std::array<unsigned char, 12> behind{3, 'r', 'a', 'm', 0, 0, 0, 0, 0, 0, 0, 4};
  return bytes.size() >= start_mark && std::to_integer<std::uint8_t>(bytes[0]) == section_start &&
         std::memcmp(bytes.data() + 5, behind.data(), behind.size()) == 0;
}

StreamItem bytes_of(std::size_t size) { return {StreamItem::Kind::bytes, size, 0}; }

}  // namespace

/// Reads forward in the bytes that are there; once it lacks some it stays that way.
class StreamParser::Look {
 public:
  Look(std::span<const std::byte> bytes, Ended ended) : bytes_(bytes), ended_(ended) {}

  std::uint64_t number(std::size_t size) {
    if (!has(size)) return 0;
    at_ += size;
    return number_at(bytes_, at_ - size, size);
  }
  std::string_view text(std::size_t size) {
    if (!has(size)) return {};
    at_ += size;
    return {reinterpret_cast<const char*>(bytes_.data()) + at_ - size, size};
  }
  void skip(std::size_t size) {
    if (has(size)) at_ += size;
  }
  bool lacks() const { return lacks_; }
  std::size_t taken() const { return at_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  Ended ended() const { return ended_; }

 private:
  bool has(std::size_t size) {
    lacks_ = lacks_ || bytes_.size() - at_ < size;
    return !lacks_;
  }

  std::span<const std::byte> bytes_;
  Ended ended_;
  std::size_t at_ = 0;
  bool lacks_ = false;
};

std::optional<StreamItem> StreamParser::next(std::span<const std::byte> bytes, Ended ended) {
  if (bytes.empty()) return std::nullopt;
  Look look(bytes, ended);
  std::optional<StreamItem> item;
  const auto before = *this;
  switch (expecting_) {
    case Expecting::start:
      if (look.number(4) == stream_magic && look.number(4) == stream_version) {
        expecting_ = Expecting::section;
        item = bytes_of(look.taken());
      }
      break;
    case Expecting::section:
      item = in_section(look);
      break;
    case Expecting::blocks:
      item = in_blocks(look);
      break;
    case Expecting::record:
      item = in_record(look);
      break;
    case Expecting::page:
      look.skip(page_size);
      expecting_ = Expecting::record;
      item = StreamItem{StreamItem::Kind::page, page_size, 0};
      break;
    case Expecting::anything:
      return past_unknown(bytes, ended);
  }
  if (!look.lacks()) return item ? item : lost(look);
  if (ended == Ended::yes) return lost(look);
  *this = before;
  return std::nullopt;
}

std::optional<StreamItem> StreamParser::in_section(Look& look) {
  const auto kind = look.number(1);
  if (kind == section_configuration) {
    // The machine's name. It may have more behind it, which is found to be unknown.
    const auto length = look.number(4);
    if (length > 256) return std::nullopt;
    look.skip(length);
    return bytes_of(look.taken());
  }
  if (kind == section_footer) {
    look.skip(4);
    return bytes_of(look.taken());
  }
  const auto number = static_cast<std::uint32_t>(look.number(4));
  if (kind == section_start) {
    const bool is_memory = look.text(look.number(1)) == ram;
    look.skip(8);  // instance and version
    if (!is_memory) return std::nullopt;
    ram_section_ = number;
  } else if ((kind != section_part && kind != section_end) || number != ram_section_) {
    return std::nullopt;
  }
  expecting_ = Expecting::record;
  return bytes_of(look.taken());
}

std::optional<StreamItem> StreamParser::in_blocks(Look& look) {
  look.skip(look.number(1));  // its name
  const auto length = look.number(8);
  if (length > blocks_left_) return std::nullopt;
  blocks_left_ -= length;
  if (blocks_left_ == 0) expecting_ = Expecting::record;
  return bytes_of(look.taken());
}

std::optional<StreamItem> StreamParser::in_record(Look& look) {
  const auto header = look.number(header_size);
  const auto address = header >> 12;
  switch (header & flags_mask) {
    case is_page | same_block:
      look.skip(page_size);
      return StreamItem{StreamItem::Kind::record, record_size, address};
    case is_zero | same_block:
      if (look.number(1) != 0) return bytes_of(fill_size);
      return StreamItem{StreamItem::Kind::fill, fill_size, address};
    case is_page:
      look.skip(look.number(1));  // the block's name
      expecting_ = Expecting::page;
      return bytes_of(look.taken());
    case is_zero:
      look.skip(look.number(1));
      look.skip(1);
      return bytes_of(look.taken());
    case is_blocks:
      blocks_left_ = address << 12;
      expecting_ = blocks_left_ == 0 ? Expecting::record : Expecting::blocks;
      return bytes_of(header_size);
    case is_end:
      expecting_ = Expecting::section;
      return bytes_of(header_size);
    case is_flush:
      return bytes_of(header_size);
    default:
      return std::nullopt;
  }
}

std::optional<StreamItem> StreamParser::lost(Look& look) {
  expecting_ = Expecting::anything;
  return past_unknown(look.bytes(), look.ended());
}

/// Bytes, up to where memory seems to go on.
std::optional<StreamItem> StreamParser::past_unknown(std::span<const std::byte> bytes,
                                                     Ended ended) {
  if (ended == Ended::no && bytes.size() <= start_mark) return std::nullopt;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto kind = std::to_integer<std::uint8_t>(bytes[at]);
    if (kind != section_footer && kind != section_start) continue;
    const auto rest = bytes.subspan(at);
    if (kind == section_footer && ram_section_ && rest.size() >= part_mark) {
      const auto next_kind = std::to_integer<std::uint8_t>(rest[5]);
      if ((next_kind != section_part && next_kind != section_end) ||
          number_at(rest, 6, 4) != *ram_section_)
        continue;
    } else if (!begins_memory(rest)) {
      continue;
    }
    expecting_ = Expecting::section;
    if (at == 0) return next(bytes, ended);
    return bytes_of(at);
  }
  // What is left may hold the beginning of a mark.
  return bytes_of(ended == Ended::yes ? bytes.size() : bytes.size() - start_mark);
}

}  // namespace satchel::hibernation
