#include "base/ids.hpp"

#include <sys/random.h>

#include <cctype>
#include <cstdio>
#include <cstring>

#include "base/fault.hpp"

namespace satchel {

Uuid Uuid::random() {
  std::array<std::uint8_t, 16> bytes{};
  // getrandom(2) never returns fewer bytes than asked for when that is at most 256.
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    throw fault_from_errno(errno, "draw", "a random identity");
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  return Uuid(bytes);
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  std::size_t nibble = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const auto c = static_cast<unsigned char>(text[i]);
    if (dash) {
      if (c != '-') return std::nullopt;
      continue;
    }
    if (!std::isxdigit(c)) return std::nullopt;
    const int value = std::isdigit(c) ? c - '0' : std::tolower(c) - 'a' + 10;
    bytes[nibble / 2] = static_cast<std::uint8_t>(bytes[nibble / 2] << 4 | value);
    ++nibble;
  }
  return Uuid(bytes);
}

std::string Uuid::str() const {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += digits[bytes_[i] >> 4];
    out += digits[bytes_[i] & 0xf];
  }
  return out;
}

std::string to_string(ByteCount bytes) {
  static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto amount = static_cast<double>(bytes.value);
  std::size_t unit = 0;
  while (amount >= 999.5 && unit + 1 < std::size(units)) {
    amount /= 1024;
    ++unit;
  }
  char text[32];
  const int decimals = unit == 0 || amount >= 99.95 ? 0 : 1;
  std::snprintf(text, sizeof text, "%.*f %s", decimals, amount, units[unit]);
  return text;
}

}  // namespace satchel

std::size_t std::hash<satchel::Uuid>::operator()(const satchel::Uuid& id) const noexcept {
  std::size_t out = 0;
  std::memcpy(&out, id.bytes().data(), sizeof out);
  return out;
}
