// Short keyed names of content: BLAKE2b with a key of 32 bytes and 16 bytes of output (RFC 7693).
// Who does not know the key can't make two contents of one name, nor test a guess; who knows it
// has to try some 2^64. Any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>

namespace satchel {

struct ContentKey {
  std::array<std::uint8_t, 32> bytes{};
  bool operator==(const ContentKey&) const = default;

  static ContentKey random();
};

struct ContentName {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const ContentName&) const = default;
};

ContentName content_name(const ContentKey& key, std::span<const std::byte> content);

}  // namespace satchel
