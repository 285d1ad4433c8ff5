// Memory that is written anew, with the generation itself as its base: what an eject would have had
// to store although it did not change.
#include <catch2/catch.hpp>
#include <random>

#include "borrow_samples.hpp"
#include "hibernation/alive_cells.hpp"
#include "hibernation/borrowed_again.hpp"

using namespace satchel;
using namespace satchel::hibernation;
using namespace satchel::test;

namespace {

/// Three generations: of the first one's segment less than half is needed by the last.
struct Worn {
  PageStore store;
  Memory memory = first_memory(4000);

  Worn() {
    store.encode(1, stream_of(memory), 0);
    for (std::size_t i = 0; i < 1200; ++i) memory[i] = 6'000'000 + i;
    store.encode(2, stream_of(memory), 1);
    for (std::size_t i = 1200; i < 2600; ++i) memory[i] = 6'000'000 + i;
    store.encode(3, stream_of(memory), 2);
  }
};

ByteCount size_of(const std::string& object) { return ByteCount(object.size()); }

}  // namespace

TEST_CASE("what an eject of a machine that did nothing would write is told before") {
  Worn made;
  CHECK(worn(made.store.map(1)) == ByteCount());
  CHECK(worn(made.store.map(2)) == ByteCount());
  const auto told = worn(made.store.map(3));
  CHECK(told > ByteCount());
  made.store.encode(4, stream_of(made.memory), 3);
  const auto written = size_of(made.store.segments.at(4));
  CHECK(written.value < told.value * 2);
  CHECK(told.value < written.value * 2);
}

TEST_CASE("memory that was written anew is the same, and not worn any more") {
  Worn made;
  made.store.encode(4, stream_of(made.memory), 3);
  const auto map = made.store.map(4);
  CHECK(worn(map) == ByteCount());
  for (const auto& segment : map.segments) CHECK(segment.number != 1);
  CHECK((made.store.decode(4) == stream_of(made.memory)));
  made.store.encode(5, stream_of(made.memory), 4);
  CHECK(size_of(made.store.segments.at(5)) < ByteCount(200));
}

TEST_CASE("with the new segment there are not more than the next eject refers to") {
  PageStore store;
  auto memory = first_memory(4000);
  store.encode(1, stream_of(memory), 0);
  std::uint64_t number = 1;
  const auto write = [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) memory[i] = 9'000'000 + number * 10'000 + i;
    store.encode(number + 1, stream_of(memory), number);
    ++number;
  };
  while (number < most_referred) write(3000 + number * 30, 30);
  REQUIRE(worn(store.map(number)) == ByteCount());
  write(0, 2600);
  REQUIRE(store.map(number).segments.size() == most_referred + 1);
  REQUIRE(worn(store.map(number)) > ByteCount());
  store.encode(number + 1, stream_of(memory),
               read_page_base(store.map(number), store.opener(), most_referred - 1));
  CHECK(worn(store.map(number + 1)) == ByteCount());
  CHECK((store.decode(number + 1) == stream_of(memory)));
}

TEST_CASE("all of it is in one segment when that is wanted") {
  Worn made;
  CHECK(is_compact(made.store.map(1)));
  CHECK_FALSE(is_compact(made.store.map(3)));
  PageBase nothing;
  nothing.key = made.store.map(3).key;
  made.store.encode(4, stream_of(made.memory), std::move(nothing));
  CHECK(is_compact(made.store.map(4)));
  CHECK((made.store.decode(4) == stream_of(made.memory)));
}

TEST_CASE("whatever machines do, it comes to an end and stays what it was") {
  const auto seed = GENERATE(range(1U, 13U));
  std::mt19937 random(seed);
  PageStore store;
  auto memory = first_memory(1500);
  std::vector<Memory> past{memory};
  store.encode(1, stream_of(memory), 0);
  std::uint64_t number = 1;
  for (int eject = 0; eject < 12; ++eject) {
    change_some(memory, past, random);
    past.push_back(memory);
    store.encode(number + 1, stream_of(memory), number);
    ++number;
    int rounds = 0;
    while (worn(store.map(number)) > ByteCount()) {
      store.encode(number + 1, stream_of(memory), number);
      ++number;
      // Differences whose pages below were written anew leave their own segment worn.
      REQUIRE(++rounds < 9);
    }
    CHECK((store.decode(number) == stream_of(memory)));
  }
}

TEST_CASE("what was borrowed of the disks is borrowed again") {
  Written made;
  const auto map = made.store.map(2);
  PageBase nothing;
  nothing.key = map.key;
  made.store.disks = borrowed_again(map, made.store.opener(), targets);
  made.store.encode(3, stream_of(made.memory), std::move(nothing));
  CHECK(made.store.made.at(3).borrowed == 300);
  CHECK(made.store.map(3).segments.size() == 1);
  CHECK((made.store.decode(3, 2, made.lenders()) == stream_of(made.memory)));

  SECTION("and not of a disk that the machine has no more") {
    nothing.key = map.key;
    made.store.disks = borrowed_again(map, made.store.opener(), {"vda"});
    made.store.encode(4, stream_of(made.memory), std::move(nothing));
    CHECK(made.store.made.at(4).borrowed == 0);
    CHECK((made.store.decode(4) == stream_of(made.memory)));
  }
  SECTION("nor what nobody needs, whose page may be another by now") {
    for (std::size_t i = 0; i < 300; ++i) made.memory[1000 + i] = 9'000'000 + i;
    std::swap(made.memory[1000], made.memory[1001]);
    made.store.disks = DiskPages(targets);
    made.store.encode(4, stream_of(made.memory), 2);
    const auto again = borrowed_again(made.store.map(4), made.store.opener(), targets);
    const auto page = page_of(7'000'100);
    CHECK_FALSE(again.find(content_name(map.key, std::as_bytes(std::span(page)))));
  }
}
