// Pages that have not changed, told by tags: nothing of what is stored may come out another way.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <random>

#include "hibernation/cell_tags.hpp"
#include "hibernation/page_codec.hpp"
#include "page_samples.hpp"
#include "streams.hpp"

using namespace satchel;
using namespace satchel::hibernation;
using namespace satchel::test;

namespace {

/// Encodes the same with tags and by names alone, and gives how many pages were told by theirs.
std::uint64_t told(PageStore& store, std::uint64_t number, const std::string& stream,
                   std::uint64_t base, std::shared_ptr<CellTags> tags) {
  auto by_names = store;
  by_names.tags = nullptr;
  by_names.encode(number, stream, base);
  store.tags = std::move(tags);
  store.encode(number, stream, base);
  CHECK((store.maps[number] == by_names.maps[number]));
  CHECK((store.segments[number] == by_names.segments[number]));
  CHECK((store.decode_stand_in(number) == stream));
  CHECK(by_names.made[number].told_by_tag == 0);
  CHECK(store.made[number].known_cells == by_names.made[number].known_cells);
  return store.made[number].told_by_tag;
}

Segment own_segment(const PageStore& store, std::uint64_t number) {
  return read_page_map(store.maps.at(number))->segments.front();
}

/// How many of these pages have an address in their stream and are not of zeros.
std::uint64_t addressed(const Memory& memory) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < memory.size(); ++i)
    if (memory[i] != 0 && i % 1000 != 0) ++count;
  return count;
}

/// A generation, and the tags that a launch from it makes.
struct Launched {
  Memory memory = first_memory(3000);
  PageStore store;
  std::shared_ptr<CellTags> tags;

  Launched() {
    store.encode(1, stream_of(memory), 0);
    tags = store.tags_of(1);
  }
  /// Puts a file of so many bytes in the place of the generation's tags.
  void cut_tags(off_t size) const {
    const auto segment = own_segment(store, 1);
    const UniqueFd file(memfd_create("tags", MFD_CLOEXEC));
    const auto cut = std::make_shared<SegmentTags>(UniqueFd(dup(file.get())));
    SegmentTags::Block block;
    for (std::uint64_t i = 0; i < segment.block_count(); ++i) {
      tags->find(segment)->read(i, block);
      cut->write(i, block);
    }
    REQUIRE(ftruncate(file.get(), size) == 0);
    tags->keep(segment, cut);
  }
};

}  // namespace

TEST_CASE("pages that have not changed since the machine came here are told by their tags") {
  Launched at;
  const auto stream = stream_of(at.memory);
  CHECK(told(at.store, 2, stream, 1, at.tags) == addressed(at.memory));
  CHECK(at.store.made[2].segments.front().cells == 0);
  CHECK((at.store.decode(2) == stream));
}

TEST_CASE("a page that changed is never taken for the one before") {
  Launched at;
  std::uint64_t unchanged = 0;  // the byte was that before
  for (std::size_t i = 0; i < at.memory.size(); ++i) {
    if (at.memory[i] == 0) continue;
    const auto before = page_of(at.memory[i]);
    at.memory[i] |= (1 + i % 200) * little;
    if (i % 1000 != 0 && page_of(at.memory[i]) == before) ++unchanged;
  }
  CHECK(unchanged < 50);
  const auto stream = stream_of(at.memory);
  CHECK(told(at.store, 2, stream, 1, at.tags) == unchanged);
  CHECK((at.store.decode(2) == stream));
}

TEST_CASE("pages that changed places are found by their names") {
  Launched at;
  std::ranges::reverse(at.memory);
  const auto stream = stream_of(at.memory);
  CHECK(told(at.store, 2, stream, 1, at.tags) < 10);
  CHECK(at.store.made[2].segments.front().cells < 10);
  CHECK((at.store.decode(2) == stream));
}

TEST_CASE("tags that are missing, cut short or of another key are harmless") {
  Launched at;
  const auto stream = stream_of(at.memory);
  SECTION("there are none") {
    at.tags->keep_only({});
    CHECK(told(at.store, 2, stream, 1, at.tags) == 0);
  }
  SECTION("they are of another process") {
    const auto segment = own_segment(at.store, 1);
    const auto foreign = new_tags();
    foreign->keep(segment, at.tags->find(segment));
    CHECK(told(at.store, 2, stream, 1, foreign) == 0);
  }
  SECTION("their file ends early, within a tag") {
    at.cut_tags(16 * 600 + 7);
    const auto count = told(at.store, 2, stream, 1, at.tags);
    CHECK(count > 500);
    CHECK(count <= 600);
  }
  SECTION("their file is gone") {
    at.cut_tags(0);
    CHECK(told(at.store, 2, stream, 1, at.tags) == 0);
  }
  SECTION("their file can't be read") {
    at.tags->keep(own_segment(at.store, 1), std::make_shared<SegmentTags>(UniqueFd()));
    CHECK(told(at.store, 2, stream, 1, at.tags) == 0);
  }
  SECTION("they are of the generation before") {
    at.memory[5] = 77'777;
    at.store.encode(2, stream_of(at.memory), 1);
    CHECK(told(at.store, 3, stream_of(at.memory), 2, at.tags) == addressed(at.memory) - 1);
    CHECK((at.store.decode(3) == stream_of(at.memory)));
    return;
  }
  CHECK((at.store.decode(2) == stream));
}

TEST_CASE("no tags can be had in a directory that is not there") {
  const auto tags = CellTags::make("/nowhere/at/all");
  REQUIRE(tags);
  CHECK(tags->begin() == nullptr);
  Launched at;
  CHECK(told(at.store, 2, stream_of(at.memory), 1, tags) == 0);
}

TEST_CASE("only cells that the generation needs get tags") {
  Launched at;
  for (std::size_t i = 0; i < 600; ++i) at.memory[i] = 0;
  at.store.encode(2, stream_of(at.memory), 1);
  const auto tags = at.store.tags_of(2);
  SegmentTags::Block block;
  tags->find(own_segment(at.store, 1))->read(0, block);
  CHECK(std::ranges::all_of(block, &ContentTag::is_none));
  tags->find(own_segment(at.store, 1))->read(5, block);
  CHECK(std::ranges::none_of(block, &ContentTag::is_none));
}

TEST_CASE("a page that is stored as a difference is told by its tag") {
  Launched at;
  for (std::size_t i = 1; i < at.memory.size(); i += 10)
    if (at.memory[i] != 0) at.memory[i] |= 9 * little;
  const auto stream = stream_of(at.memory);
  at.store.encode(2, stream, 1);
  REQUIRE(at.store.made[2].differences > 200);
  CHECK(told(at.store, 3, stream, 2, at.store.tags_of(2)) == addressed(at.memory));
  CHECK(at.store.made[3].segments.front().cells == 0);
  CHECK((at.store.decode(3) == stream));
}

TEST_CASE("what a checkpoint stores is told by its tags afterwards") {
  Launched at;
  at.store.own_tags = PageEncoderSettings::OwnTags::wanted;
  for (std::size_t i = 1; i < at.memory.size(); i += 10)
    if (at.memory[i] != 0) at.memory[i] = i % 3 == 0 ? 50'000 + i : at.memory[i] | 9 * little;
  const auto stream = stream_of(at.memory);
  told(at.store, 2, stream, 1, at.tags);
  REQUIRE(at.store.made[2].differences > 100);
  CHECK(told(at.store, 3, stream, 2, at.tags) == addressed(at.memory));
  CHECK((at.store.decode(3) == stream));
}

TEST_CASE("the first checkpoint of a machine that was booted makes tags of all of its memory") {
  const auto memory = first_memory(2000);
  PageStore store;
  store.tags = new_tags();
  store.own_tags = PageEncoderSettings::OwnTags::wanted;
  store.encode(1, stream_of(memory), 0);
  CHECK(told(store, 2, stream_of(memory), 1, store.tags) == addressed(memory));
  CHECK((store.decode(2) == stream_of(memory)));
}

TEST_CASE("a page of another block of memory is not taken for the one at its address") {
  const auto stream = [](std::uint64_t second) {
    MadeStream made;
    made.setup(std::uint64_t{512} * 4096).begin_part().first_page(0, "pc.ram", page_of(1));
    for (std::uint64_t i = 1; i < 500; ++i) made.page(i, page_of(i + 1));
    made.first_page(0, "vga.vram", page_of(900));
    for (std::uint64_t i = 1; i < 500; ++i) made.page(i, page_of(second + i));
    return made.end_part().add("the end").str();
  };
  PageStore store;
  store.encode(1, stream(1000), 0);
  CHECK(told(store, 2, stream(1000), 1, store.tags_of(1)) == 499);
  CHECK((store.decode(2) == stream(1000)));
  // It shows what the other block had at these addresses, all but the pages of that.
  CHECK(told(store, 3, stream(1), 2, store.tags_of(2)) == 998);
  CHECK((store.decode(3) == stream(1)));
}

TEST_CASE("tags make the same maps as names, whatever the machine does between its launches") {
  std::mt19937 random(GENERATE(21U, 22U, 23U, 24U, 25U, 26U));
  auto memory = first_memory(1500);
  std::vector<Memory> past{memory};
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  std::shared_ptr<CellTags> tags;
  std::uint64_t count = 0;
  for (std::uint64_t number = 2; number < 25; ++number) {
    // Launched from the generation before, or running on since.
    if (!tags || random() % 2 == 0) tags = store.tags_of(number - 1);
    change_some(memory, past, random);
    store.own_tags = random() % 2 == 0 ? PageEncoderSettings::OwnTags::wanted
                                       : PageEncoderSettings::OwnTags::unwanted;
    const auto stream = stream_of(memory);
    count += told(store, number, stream, number - 1, tags);
    CHECK((store.decode(number) == stream));
    past.push_back(memory);
  }
  CHECK(count > 10'000);
}
