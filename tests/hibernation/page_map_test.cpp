#include "hibernation/page_map.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "hibernation/block_walk.hpp"
#include "hibernation/page_index.hpp"
#include "page_samples.hpp"

using namespace satchel;
using namespace satchel::hibernation;
using namespace satchel::test;

namespace {

/// A map that makes sense: a segment of 600 cells of its own, an earlier one of 1000.
PageMap sample(std::string recipe, std::uint64_t stream_size) {
  PageMap map;
  map.stream_size = ByteCount(stream_size);
  for (const auto& [number, cells] : {std::pair{7, 600}, {3, 1000}}) {
    Segment segment;
    segment.number = static_cast<std::uint64_t>(number);
    segment.cells = static_cast<std::uint64_t>(cells);
    segment.size = ByteCount(5000);
    map.segments.push_back(segment);
  }
  map.recipe = std::move(recipe);
  return map;
}

PageMap sample() {
  RecipeWriter recipe;
  for (std::uint64_t i = 0; i < 600; ++i) recipe.fresh(Framing::bare, 0);
  for (std::uint64_t i = 0; i < 500; ++i) recipe.known(Framing::record, i, {1, 200 + i});
  return sample(recipe.finish(), 600 * 4096 + 500 * 4104);
}

bool is_refused(const PageMap& map) { return !read_page_map(write_page_map(map)); }

/// Steps as they are written: bytes and numbers.
std::string coded(const std::vector<std::uint64_t>& numbers) {
  std::string out;
  for (auto number : numbers) {
    for (; number >= 0x80; number >>= 7) out += static_cast<char>((number & 0x7f) | 0x80);
    out += static_cast<char>(number);
  }
  return out;
}

}  // namespace

TEST_CASE("a recipe reads as it was written") {
  RecipeWriter writer;
  const std::string text = "some text";
  writer.text(std::as_bytes(std::span(text)));
  writer.fill(5, 3);
  writer.fill(8, 2);
  writer.zeros(Framing::record, 10);
  writer.fresh(Framing::record, 11);
  writer.fresh(Framing::record, 12);
  writer.known(Framing::record, 13, {1, 90});
  writer.known(Framing::record, 14, {1, 91});
  writer.known(Framing::bare, 0, {1, 20});
  writer.known(Framing::record, 15, {0, 1});
  writer.fresh(Framing::record, 99);
  writer.fresh_difference(Framing::record, 100, {1, 7});
  writer.fresh_difference(Framing::record, 101, {1, 8});
  writer.known_difference(Framing::record, 102, {1, 30}, {1, 9});
  writer.known_difference(Framing::bare, 0, {1, 31}, {0, 2});
  const auto recipe = writer.finish();
  RecipeReader reader(recipe, 2);
  const auto check = [&](RecipeStep::Kind kind, std::uint64_t count, std::uint64_t address,
                         std::uint64_t cell) {
    const auto step = reader.next();
    REQUIRE(step);
    CHECK(step->kind == kind);
    CHECK(step->count == count);
    CHECK(step->address == address);
    CHECK(step->cell == cell);
    return *step;
  };
  using Kind = RecipeStep::Kind;
  CHECK(check(Kind::text, 1, 0, 0).text == text);
  check(Kind::fill, 5, 5, 0);
  check(Kind::zeros, 1, 10, 0);
  check(Kind::cells, 2, 11, 0);
  CHECK(check(Kind::cells, 2, 13, 90).segment == 1);
  CHECK(check(Kind::cells, 1, 0, 20).framing == Framing::bare);
  CHECK(check(Kind::cells, 1, 15, 1).segment == 0);
  check(Kind::cells, 1, 99, 2);
  CHECK(check(Kind::differences, 2, 100, 3).below_cell == 7);
  const auto known = check(Kind::differences, 1, 102, 30);
  CHECK(known.segment == 1);
  CHECK(known.below_cell == 9);
  CHECK(check(Kind::differences, 1, 0, 31).below_segment == 0);
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.is_broken());
}

TEST_CASE("a page map reads as it was written") {
  const auto map = sample();
  const auto read = read_page_map(write_page_map(map));
  REQUIRE(read);
  CHECK(read->segments == map.segments);
  CHECK(read->recipe == map.recipe);
  CHECK(read->key == map.key);
  CHECK(read->stream_size == map.stream_size);
}

TEST_CASE("maps whose segments are impossible are refused") {
  const auto with = [](auto change) {
    auto map = sample();
    change(map);
    return is_refused(map);
  };
  CHECK_FALSE(with([](PageMap&) {}));
  CHECK(with([](PageMap& map) { map.segments.clear(); }));
  CHECK(with([](PageMap& map) { map.segments.resize(most_segments + 1); }));
  CHECK(with([](PageMap& map) { map.segments[1].cells = most_cells + 1; }));
  CHECK(with([](PageMap& map) { map.segments[1].cells = ~std::uint64_t{0}; }));
  CHECK(with([](PageMap& map) { map.segments[1].cells = most_cells; }));
  CHECK(with([](PageMap& map) { map.segments[1].named = 1001; }));
  CHECK(with([](PageMap& map) { map.segments[1].size = ByteCount(10); }));
  CHECK(with([](PageMap& map) { map.segments[1].size = ByteCount(1U << 30); }));
  CHECK(with([](PageMap& map) { map.segments[1].size = ByteCount(~std::uint64_t{0}); }));
  CHECK(with([](PageMap& map) { map.segments[1].number = 7; }));
  CHECK(with([](PageMap& map) { map.segments[1].number = 8; }));
  CHECK(with([](PageMap& map) { map.segments[0].cells = 599; }));
  CHECK(with([](PageMap& map) { map.segments[0].cells = 601; }));
  CHECK(with([](PageMap& map) { map.segments[1].cells = 699; }));
  CHECK(with([](PageMap& map) { map.stream_size.value += 1; }));
  CHECK(with([](PageMap& map) { map.stream_size.value -= 1; }));
  CHECK(with([](PageMap& map) { map.stream_size = ByteCount(largest_stream + 1); }));
}

TEST_CASE("recipes that make no sense are refused") {
  const auto with = [](std::vector<std::uint64_t> steps, std::uint64_t size) {
    auto recipe = coded({6, 600});  // all of the own segment, bare
    return is_refused(sample(recipe + coded(steps), 600 * 4096 + size));
  };
  CHECK_FALSE(with({}, 0));
  CHECK_FALSE(with({2, 17, 1, 2}, 18));
  CHECK(with({1, 0}, 0));                                    // a run of nothing
  CHECK(with({14, 1}, 9));                                   // no such step
  CHECK(with({2, 17}, 0));                                   // an address of nothing
  CHECK(with({2, 17, 2, 18, 1, 1}, 9));                      // twice
  CHECK(with({2, 17, 8, 1, 0, 1}, 4096));                    // of what has none
  CHECK(with({2, std::uint64_t{1} << 53, 1, 1}, 9));         // beyond the largest
  CHECK(with({2, (std::uint64_t{1} << 52) - 1, 1, 2}, 18));  // and past it
  CHECK(with({1, std::uint64_t{1} << 41}, 9));
  CHECK(with({8, 2, 0, 1}, 4096));         // no such segment
  CHECK(with({8, 1, 1, 1}, 4096));         // before its first cell
  CHECK(with({8, 1, 2 * 1000, 1}, 4096));  // behind its last
  CHECK(with({8, 1, 0, 1001}, 1001 * 4096));
  CHECK(with({6, 1}, 4096));    // more than the own segment has
  CHECK(with({0, 5, 'a'}, 5));  // text that ends early
  CHECK(with({0, 0}, 0));
  CHECK_FALSE(with({12, 1, 2 * 5, 1, 0, 1}, 4096));
  CHECK(with({10, 1, 0, 1}, 4096));               // more than the own segment has
  CHECK(with({12, 2, 0, 1, 0, 1}, 4096));         // no such segment
  CHECK(with({12, 1, 0, 2, 0, 1}, 4096));         // nor below
  CHECK(with({12, 1, 0, 1, 1, 1}, 4096));         // before its first cell
  CHECK(with({12, 1, 0, 1, 2 * 1000, 1}, 4096));  // behind its last
  CHECK(with({12, 1, 0, 1, 2 * 999, 2}, 2 * 4096));
  CHECK(is_refused(sample(coded({6, 600}) + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 1)));
}

TEST_CASE("a map that makes its reader load blocks over and over is refused") {
  RecipeWriter recipe;
  constexpr std::uint64_t jumps = 20'000;
  PageMap map = sample();
  map.segments[1].cells = 1000 * cells_in_block;
  map.segments[1].size = ByteCount(1'000'000);
  for (std::uint64_t i = 0; i < 600; ++i) recipe.fresh(Framing::bare, 0);
  for (std::uint64_t i = 0; i < jumps; ++i)
    recipe.known(Framing::bare, 0, {1, (i * 97 % 1000) * cells_in_block});
  map.recipe = recipe.finish();
  map.stream_size = ByteCount((600 + jumps) * 4096);
  CHECK(is_refused(map));
}

TEST_CASE("every truncation of a page map is refused, and random bytes never crash it") {
  PageStore store;
  store.encode(1, stream_of(first_memory(600)), 0);
  auto memory = first_memory(600);
  memory[5] = 77'777;
  memory[7] |= std::uint64_t{7} << 32;
  store.encode(2, stream_of(memory), 1);
  REQUIRE(store.made[2].differences == 1);
  const auto& map = store.maps[2];
  for (std::size_t size = 0; size < map.size(); ++size)
    CHECK_FALSE(read_page_map(std::string_view(map).substr(0, size)));
  CHECK_FALSE(read_page_map(map + '\0'));
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    auto other = map;
    for (unsigned n = 1 + random() % 4; n > 0; --n)
      other[random() % other.size()] = static_cast<char>(random());
    read_page_map(other);
  }
  // The recipe itself, behind a frame that is right.
  auto parsed = *read_page_map(map);
  const auto recipe = parsed.recipe;
  for (int i = 0; i < 20'000; ++i) {
    parsed.recipe = recipe;
    for (unsigned n = 1 + random() % 4; n > 0; --n)
      parsed.recipe[random() % recipe.size()] = static_cast<char>(random());
    read_page_map(write_page_map(parsed));
  }
}

TEST_CASE("names that a device has chosen to be alike cost no more than others") {
  PageIndex index;
  constexpr std::uint32_t many = 1U << 20;
  ContentName name;
  const auto numbered = [&](std::uint32_t i) -> const ContentName& {
    std::memcpy(name.bytes.data(), &i, sizeof i);
    return name;
  };
  // With a place by their second four bytes this would not end today.
  for (std::uint32_t i = 0; i < many; ++i) index.add(numbered(i));
  bool right = true;
  for (std::uint32_t i = 0; i < many; i += 1023) right = right && index.find(numbered(i)) == i;
  CHECK(right);
}

TEST_CASE("the index finds the newest place of each name, and grows") {
  const auto key = ContentKey::random();
  PageIndex index;
  std::vector<ContentName> names;
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    const auto value = i % 40'000;
    names.push_back(content_name(key, std::as_bytes(std::span(&value, 1))));
    index.add(names.back());
  }
  CHECK(index.size() == 50'000);
  bool right = true;
  for (std::uint32_t i = 0; i < 40'000; ++i)
    right = right && index.find(names[i]) == (i < 10'000 ? i + 40'000 : i);
  CHECK(right);
  CHECK_FALSE(index.find(content_name(key, {})));
  CHECK_FALSE(index.find(content_name(ContentKey::random(), std::as_bytes(std::span("x", 1)))));
  CHECK((std::ranges::equal(index.names_from(49'999), std::span(names).subspan(49'999))));
}
