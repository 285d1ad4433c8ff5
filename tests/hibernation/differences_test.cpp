// Pages that changed a little, stored as what changed of them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "hibernation/cell_reader.hpp"
#include "hibernation/page_codec.hpp"
#include "page_samples.hpp"
#include "streams.hpp"

using namespace satchel;
using namespace satchel::hibernation;
using namespace satchel::test;

namespace {

/// Changes a few bytes of some pages, others not, and none of zeros.
void touch(Memory& memory, std::size_t every, std::uint64_t how) {
  for (std::size_t i = 0; i < memory.size(); i += every)
    if (memory[i] != 0) memory[i] = (memory[i] & 0xffffffff) | how * little;
}

std::uint64_t own_size(const PageStore& store, std::uint64_t number) {
  return store.made.at(number).segments.front().size.value;
}

}  // namespace

TEST_CASE("a page that changed a little is stored as what changed of it") {
  auto memory = first_memory(3000);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  CHECK(store.made[1].differences == 0);
  touch(memory, 10, 7);
  store.encode(2, stream_of(memory), 1);
  CHECK((store.decode(2) == stream_of(memory)));
  CHECK((store.decode_stand_in(2) == stream_of(memory)));
  CHECK(store.made[2].differences > 240);
  // 16 bytes of its name, and little more.
  CHECK(own_size(store, 2) < 300U * 64);

  PageStore whole;
  whole.encode(1, stream_of(first_memory(3000)), 0);
  whole.encode(2, stream_of(memory), 1, 2, PageStore::Content::away);
  CHECK(whole.made[2].differences == 0);
  CHECK(own_size(whole, 2) > 100 * own_size(store, 2) / 2);
}

TEST_CASE("a difference is to a whole page, however often the page changed") {
  auto memory = first_memory(2000);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  for (std::uint64_t number = 2; number < 12; ++number) {
    touch(memory, 20, number);
    store.encode(number, stream_of(memory), number - 1);
    CHECK((store.decode(number) == stream_of(memory)));
    CHECK((store.decode_stand_in(number) == stream_of(memory)));
    CHECK(store.made[number].differences > 80);
    // The ones between are needed no more.
    CHECK(store.made[number].segments.size() <= 2);
  }
}

TEST_CASE("a page that is a difference already is referred to as one") {
  auto memory = first_memory(2000);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  touch(memory, 20, 5);
  store.encode(2, stream_of(memory), 1);
  store.encode(3, stream_of(memory), 2);
  CHECK(store.made[3].segments.front().cells == 0);
  CHECK((store.decode(3) == stream_of(memory)));
  // The same page at a second address, in the eject that stores it and in a later one.
  memory[3] = memory[40];
  touch(memory, 50, 6);
  memory[55] = memory[50];
  store.encode(4, stream_of(memory), 3);
  CHECK((store.decode(4) == stream_of(memory)));
  CHECK((store.decode_stand_in(4) == stream_of(memory)));
  CHECK(store.made[4].segments.front().cells <= store.made[4].differences + 2);
}

TEST_CASE("what can't be read back is stored whole") {
  auto memory = first_memory(1000);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  touch(memory, 10, 9);
  const auto map = read_page_map(store.maps[1]);
  auto base = read_page_base(*map, store.opener());
  auto damaged = store;
  damaged.segments[1][100] ^= 1;
  CellReader reader(base.segments, damaged.opener());
  base.content = [&](std::size_t segment, std::uint64_t cell) {
    return reader.read(segment, cell);
  };
  PageEncoderSettings settings;
  settings.number = 2;
  const auto stream = stream_of(memory);
  store.made[2] = encode_pages(source_of(stream, 100'000), {appending_to(store.segments[2]), {}},
                               std::move(base), settings, {}, {});
  store.maps[2] = store.made[2].map;
  CHECK((store.decode(2) == stream));
  CHECK(store.made[2].differences == 0);
  CHECK_THAT(reader.trouble(), Catch::Contains("the memory of generation 1"));
}

TEST_CASE("histories of pages that change a little, wholly, and come back") {
  std::mt19937 random(GENERATE(11U, 12U, 13U, 14U));
  auto memory = first_memory(1500);
  std::vector<Memory> past{memory};
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  std::uint64_t differences = 0;
  for (std::uint64_t number = 2; number < 40; ++number) {
    change_some(memory, past, random);
    const auto content = random() % 5 == 0 ? PageStore::Content::away : PageStore::Content::at_hand;
    store.encode(number, stream_of(memory), number - 1, 1 + random() % 3, content);
    CHECK((store.decode(number) == stream_of(memory)));
    CHECK((store.decode_stand_in(number) == stream_of(memory)));
    differences += store.made[number].differences;
    past.push_back(memory);
    std::uint64_t cells = 0;
    for (const auto& segment : store.made[number].segments) cells += segment.cells;
    CHECK(cells <= 4 * 1520 + store.made[number].segments.front().cells);
  }
  CHECK(differences > 1000);
}
