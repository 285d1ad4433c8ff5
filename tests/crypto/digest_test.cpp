#include "crypto/digest.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

using namespace satchel;

TEST_CASE("the digest of nothing and of abc are those of b2sum") {
  CHECK(digest_of(std::string_view()).hex() ==
        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  CHECK(digest_of(std::string_view("abc")).hex() ==
        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST_CASE("a digest does not depend on how the bytes were cut") {
  std::mt19937 random(7);
  std::string bytes(100000, '\0');
  for (auto& c : bytes) c = static_cast<char>(random());
  Hasher hasher;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t n = std::min<std::size_t>(random() % 5000, bytes.size() - at);
    hasher.add(std::as_bytes(std::span(bytes).subspan(at, n)));
    at += n;
  }
  CHECK(hasher.finish() == digest_of(bytes));
}

TEST_CASE("a digest is read from exactly its own text") {
  const Digest digest = digest_of(std::string_view("x"));
  CHECK(Digest::parse(digest.hex()) == digest);
  CHECK_FALSE(Digest::parse(digest.hex() + "0"));
  CHECK_FALSE(Digest::parse(digest.hex().substr(1)));
  CHECK_FALSE(Digest::parse(std::string(64, 'A')));
  CHECK_FALSE(Digest::parse(std::string(63, '0') + "g"));
  CHECK_FALSE(Digest::parse(""));
}
