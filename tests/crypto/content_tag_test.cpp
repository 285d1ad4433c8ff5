#include "crypto/content_tag.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

using namespace satchel;

namespace {

using Page = std::vector<std::byte>;

Page random_page(std::mt19937& random) {
  Page page(4096);
  std::ranges::generate(page, [&] { return static_cast<std::byte>(random()); });
  return page;
}

/// This processor makes tags, as all do that Debian's amd64 is tested on.
ContentTagger tagger() {
  auto made = ContentTagger::make();
  REQUIRE(made);
  return std::move(*made);
}

}  // namespace

TEST_CASE("a content has one tag under a key, and another under another key") {
  std::mt19937 random(1);
  const auto one = tagger();
  const auto other = tagger();
  const auto page = random_page(random);
  CHECK(one.tag(page) == one.tag(Page(page)));
  CHECK_FALSE(one.tag(page) == other.tag(page));
  CHECK_FALSE(one.tag(Page(4096)).is_none());
  CHECK(ContentTag{}.is_none());
}

TEST_CASE("any bit of a page changes its tag") {
  std::mt19937 random(2);
  const auto one = tagger();
  auto page = random_page(random);
  const auto tag = one.tag(page);
  std::size_t equal = 0;
  for (std::size_t bit = 0; bit < 8 * page.size(); ++bit) {
    const auto flip = static_cast<std::byte>(1U << (bit % 8));
    page[bit / 8] ^= flip;
    if (one.tag(page) == tag) ++equal;
    page[bit / 8] ^= flip;
  }
  CHECK(equal == 0);
  CHECK(one.tag(page) == tag);
}

TEST_CASE("the tag of what two pages make together follows from theirs") {
  std::mt19937 random(3);
  const auto one = tagger();
  const auto of_zeros = one.tag(Page(4096));
  for (int n = 0; n < 100; ++n) {
    const auto left = random_page(random);
    const auto right = random_page(random);
    auto both = left;
    for (std::size_t i = 0; i < both.size(); ++i) both[i] ^= right[i];
    CHECK(one.tag(both) == (one.tag(left) ^ one.tag(right) ^ of_zeros));
  }
}
