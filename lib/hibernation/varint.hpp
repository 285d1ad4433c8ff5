// Numbers of 7 bits a byte, as recipes and tables of borrowed cells have them
// (docs/DEVICE-FORMAT.md, "The recipe"). Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::hibernation {

inline void put_varint(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>((number & 0x7f) | 0x80);
  out += static_cast<char>(number);
}

/// Takes one off the front; none where there is none below 2^63.
inline std::optional<std::uint64_t> take_varint(std::string_view& rest) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 63 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

/// Small numbers for small differences of either sign.
inline std::uint64_t zigzag_of(std::uint64_t from, std::uint64_t to) {
  return to >= from ? (to - from) << 1 : ((from - to - 1) << 1 | 1);
}

/// What zigzag_of() was made to; none where it would lie below 0.
inline std::optional<std::uint64_t> from_zigzag(std::uint64_t from, std::uint64_t number) {
  const auto size = number >> 1;
  if (number % 2 == 0) return from + size;
  if (size + 1 > from) return std::nullopt;
  return from - size - 1;
}

}  // namespace satchel::hibernation
