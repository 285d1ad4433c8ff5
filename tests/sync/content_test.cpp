#include "sync/content.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

using namespace satchel;
using namespace satchel::sync;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Digest digest(const std::string& content) {
  ContentDigest out;
  out.data(bytes_of(content));
  return out.finish();
}

}  // namespace

TEST_CASE("a content's digest does not depend on the pieces it came in, nor on what is a hole") {
  std::mt19937 random(7);
  std::string content(400'000, '\0');
  for (std::size_t n = 70'000; n < 150'000; ++n) content[n] = static_cast<char>(random());
  content[300'000] = 'x';
  const Digest whole = digest(content);
  for (int round = 0; round < 50; ++round) {
    ContentDigest pieces;
    for (std::size_t at = 0; at < content.size();) {
      const std::size_t size = std::min<std::size_t>(random() % 90'000, content.size() - at);
      const std::string piece = content.substr(at, size);
      if (piece.find_first_not_of('\0') == std::string::npos && random() % 2 == 0)
        pieces.hole(ByteCount(size));
      else
        pieces.data(bytes_of(piece));
      at += size;
    }
    CHECK(pieces.length() == ByteCount(content.size()));
    REQUIRE(pieces.finish() == whole);
  }
}

TEST_CASE("contents that differ have digests that differ, in zeros at the end as well") {
  CHECK(digest("") != digest(std::string(1, '\0')));
  CHECK(digest("a") != digest(std::string("a\0", 2)));
  CHECK(digest(std::string(65536, '\0')) != digest(std::string(65537, '\0')));
  CHECK(digest(std::string(65536, '\0') + "a") != digest("a" + std::string(65536, '\0')));
}

TEST_CASE("a hole of exabytes costs nothing") {
  ContentDigest large;
  large.hole(ByteCount(1ULL << 60U));
  ContentDigest other;
  other.hole(ByteCount((1ULL << 60U) + 1));
  CHECK(large.finish() != other.finish());
}
