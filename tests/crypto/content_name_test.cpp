#include "crypto/content_name.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "crypto/hex.hpp"

using namespace satchel;

TEST_CASE("a content's name is keyed BLAKE2b of 16 bytes") {
  ContentKey key;
  for (std::size_t i = 0; i < key.bytes.size(); ++i) key.bytes[i] = static_cast<std::uint8_t>(i);
  const std::string page(4096, 'x');
  // hashlib.blake2b(b"x" * 4096, key=bytes(range(32)), digest_size=16)
  CHECK(to_hex(content_name(key, std::as_bytes(std::span(page))).bytes) ==
        "fb93e4a686d8bdeda9039465b40534d6");
}

TEST_CASE("keys are random, and names differ with them") {
  const std::string page(4096, 'x');
  const auto bytes = std::as_bytes(std::span(page));
  const auto one = ContentKey::random();
  const auto other = ContentKey::random();
  CHECK_FALSE(one == other);
  CHECK(content_name(one, bytes) != content_name(other, bytes));
  CHECK(content_name(one, bytes) == content_name(one, bytes));
}
