// Where borrowed pages are read: of a disk, and of this computer's copies.
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <filesystem>

#include "borrow_samples.hpp"

using namespace satchel;
using namespace satchel::hibernation;
using namespace satchel::test;

TEST_CASE("the second copy has the borrowed pages too") {
  const Written made;
  CHECK((made.store.decode_stand_in(2) == stream_of(made.memory)));
}

TEST_CASE("a computer that read the borrowed pages once asks the disk no more") {
  const Written made;
  std::string name = (std::filesystem::temp_directory_path() / "satchel-lent-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const LocalUse local{LocalSegments(name), LocalCopy::Grows::yes};
  std::size_t asked = 0;
  std::string out;
  const auto decode = [&] {
    out.clear();
    const PageDecoder decoder(*read_page_map(made.store.maps.at(2)), made.store.opener(),
                              {reader_of(made.disks, &asked), {}}, local);
    return decoder.decode(appending_to(out), 2, {}, {});
  };
  const auto first = decode();
  CHECK((out == stream_of(made.memory)));
  CHECK(asked > 0);
  CHECK(first.is_copied);
  asked = 0;
  const auto second = decode();
  CHECK((out == stream_of(made.memory)));
  CHECK(asked == 0);
  CHECK(second.read == ByteCount(0));
  // A copy that was damaged costs a look at the disk, and is right again.
  const auto segment = made.store.made.at(2).segments.front();
  const auto copy = local.segments.open_borrowed(segment);
  const std::array<char, 1> flipped{'!'};
  REQUIRE(::pwrite(copy.get(), flipped.data(), 1, 4096 * 7 + 5) == 1);
  decode();
  CHECK((out == stream_of(made.memory)));
  CHECK(asked == 1);
  asked = 0;
  decode();
  CHECK(asked == 0);
  local.segments.keep_only(std::array{segment});
  CHECK(std::filesystem::exists(local.segments.path_of_borrowed(segment)));
  local.segments.keep_only({});
  CHECK(!std::filesystem::exists(local.segments.path_of_borrowed(segment)));
  std::filesystem::remove_all(name);
}

TEST_CASE("what lies in order on a disk is read in order, however it is scattered in memory") {
  PageStore store;
  Disks disks{Memory(2000), Memory(1)};
  auto memory = first_memory(3000);
  store.encode(1, stream_of(memory), 0);
  const auto key = read_page_map(store.maps[1])->key;
  // 1,000 is divided by none of 7's powers: each of the pages comes once.
  for (std::size_t i = 0; i < 1000; ++i)
    memory[500 + i * 343 % 1000] = disks[0][200 + i] = 7'000'000 + i;
  store.disks = learn(key, disks, range(0, 200, 1000));
  store.encode(2, stream_of(memory), 1);
  REQUIRE(store.made.at(2).borrowed == 1000);
  std::string name = (std::filesystem::temp_directory_path() / "satchel-lent-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  std::size_t asked = 0;
  std::string out;
  const PageDecoder decoder(*read_page_map(store.maps.at(2)), store.opener(),
                            {reader_of(disks, &asked), {}},
                            LocalUse{LocalSegments(name), LocalCopy::Grows::yes});
  const auto decoded = decoder.decode(appending_to(out), GENERATE(1U, 3U), {}, {});
  CHECK((out == stream_of(memory)));
  // 1,000 pages are four times what is read at once.
  CHECK(asked <= 10);
  CHECK(decoded.at_hand == ByteCount(0));
  std::filesystem::remove_all(name);
}
