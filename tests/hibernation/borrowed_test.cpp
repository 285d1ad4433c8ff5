// Pages that a machine's disks have are not stored a second time.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <utility>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "borrow_samples.hpp"
#include "hibernation/page_codec.hpp"

using namespace satchel;
using namespace satchel::hibernation;
using namespace satchel::test;
using Catch::Matchers::Contains;

TEST_CASE("what the disk has does not go to the device a second time") {
  const Written made;
  const auto& encoded = made.store.made.at(2);
  CHECK(encoded.borrowed == 300);
  CHECK(encoded.segments.front().cells == 320);
  CHECK(std::string(encoded.codec()) == "zstd-pages-3");
  CHECK(std::string(made.store.made.at(1).codec()) == "zstd-pages-2");
  CHECK(made.store.segments.at(2).size() < 20 * 4096 + 320 * 16 + 2000);
  CHECK(made.store.borrowed.at(2).size() == 300 * 4096);
  const auto threads = GENERATE(1U, 3U);
  CHECK((made.store.decode(2, threads, made.lenders()) == stream_of(made.memory)));
}

TEST_CASE("a segment with borrowed cells still unpacks to those that it holds") {
  const Written made;
  const auto file = file_with(made.store.segments.at(2));
  REQUIRE(lseek(file.get(), 0, SEEK_SET) == 0);
  ProcessRun run;
  run.arguments = {"sh", "-ec", "zstd -dc <&3"};
  run.descriptors = {file.get()};
  std::string out;
  run.on_output = [&](std::string_view piece) { out += piece; };
  CHECK(run_process(run).exit_status == 0);
  std::string stored;
  for (std::uint64_t i = 0; i < 20; ++i) stored += page_of(8'000'000 + i);
  CHECK((out == stored));
}

TEST_CASE("the documented procedure finds borrowed pages with stock tools") {
  const Written made;
  std::string name = (std::filesystem::temp_directory_path() / "satchel-hand-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const std::filesystem::path place(name);
  std::filesystem::create_directory(place / "memory");
  const auto keep = [&](const std::string& file, const std::string& content) {
    std::ofstream(place / file) << content;
  };
  for (const auto* number : {"1", "2"})
    keep("memory/" + std::string(number) + ".pages", made.store.segments.at(std::stoul(number)));
  keep("memory/2.map", made.store.maps.at(2));
  for (std::size_t i = 0; i < targets.size(); ++i) {
    std::string raw;
    for (const auto page : made.disks[i]) raw += page_of(page);
    keep(targets[i] + ".raw", raw);
  }
  ProcessRun run;
  run.arguments = {"sh",
                   "-ec",
                   "cd \"$1\"; for n in 1 2; do zstd -dc memory/$n.pages >$n.cells; done; "
                   "python3 -c \"$2\" memory/2.map",
                   "sh",
                   name,
                   documented_script()};
  std::string out;
  run.on_output = [&](std::string_view piece) { out += piece; };
  const auto end = run_process(run);
  CHECK(end.errors == "");
  CHECK((out == stream_of(made.memory)));
  std::filesystem::remove_all(place);
}

TEST_CASE("the next generation refers to what was borrowed, as long as the disk has it") {
  Written made;
  made.store.disks = learn(made.key, made.disks, {});
  made.store.encode(3, stream_of(made.memory), 2);
  CHECK(made.store.made[3].segments.front().cells == 0);
  CHECK((made.store.decode(3, 2, made.lenders()) == stream_of(made.memory)));

  // A third of the file is overwritten, its old pages are in memory all the same.
  auto later = made.disks;
  for (std::size_t i = 0; i < 100; ++i) later[1][500 + i] = 9'000'000 + i;
  made.store.disks = learn(made.key, later, range(1, 500, 100));
  made.store.encode(4, stream_of(made.memory), 3);
  CHECK(made.store.made[4].segments.front().cells == 100);
  CHECK(made.store.made[4].borrowed == 0);
  CHECK((made.store.decode(4, 2, {reader_of(later), {}}) == stream_of(made.memory)));
  CHECK((made.store.decode(3, 2, made.lenders()) == stream_of(made.memory)));

  // Nobody knows what became of the disks.
  made.store.encode(5, stream_of(made.memory), 3);
  CHECK(made.store.made[5].segments.front().cells == 300);
  CHECK((made.store.decode(5) == stream_of(made.memory)));

  // The disk has gone from the machine.
  made.store.disks = DiskPages({"vda"});
  made.store.encode(6, stream_of(made.memory), 3);
  CHECK((made.store.decode(6) == stream_of(made.memory)));
}

TEST_CASE("a tag does not find what was borrowed once the disk has it no more") {
  Written made;
  made.store.tags = made.store.tags_of(2, made.lenders());
  made.store.disks = learn(made.key, made.disks, {});
  made.store.encode(3, stream_of(made.memory), 2);
  CHECK(made.store.made[3].segments.front().cells == 0);
  const auto all = made.store.made[3].told_by_tag;
  auto later = made.disks;
  for (std::size_t i = 0; i < 100; ++i) later[1][500 + i] = 9'000'000 + i;
  made.store.disks = learn(made.key, later, range(1, 500, 100));
  made.store.encode(4, stream_of(made.memory), 3);
  CHECK(made.store.made[4].segments.front().cells == 100);
  CHECK(made.store.made[4].told_by_tag == all - 100);
  CHECK((made.store.decode(4, 2, {reader_of(later), {}}) == stream_of(made.memory)));
}

TEST_CASE("a disk that shows something else is found before a byte of it goes on") {
  const Written made;
  auto wrong = made.disks;
  wrong[1][555] = 1;
  CHECK_THROWS_WITH(made.store.decode(2, 2, {reader_of(wrong), {}}),
                    Contains("page 555 of disk vdb"));
  CHECK_THROWS_WITH(made.store.decode(2), Contains("disk vdb"));
  const auto map = *read_page_map(made.store.maps.at(2));
  CHECK_THROWS_WITH(verify_page_base(map, made.store.opener(), reader_of(wrong), {}, {}),
                    Contains("page 555 of disk vdb"));
  CHECK_NOTHROW(verify_page_base(map, made.store.opener(), reader_of(made.disks), {}, {}));
  // What the generation does not need is not looked at.
  wrong = made.disks;
  wrong[1][399] = wrong[1][700] = 1;
  CHECK((made.store.decode(2, 2, {reader_of(wrong), {}}) == stream_of(made.memory)));
}

TEST_CASE("whatever a machine writes to its disks, every generation comes back with its own") {
  std::mt19937 random(GENERATE(1U, 2U, 3U, 4U));
  PageStore store;
  auto memory = first_memory(2000);
  std::vector<Disks> shown{{Memory(600), Memory(600)}};
  for (auto& disk : shown.back())
    for (auto& page : disk) page = 5'000'000 + random() % 50;
  store.encode(1, stream_of(memory), 0);
  std::vector<Memory> memories{memory};
  std::uint64_t told = 0;
  const auto key = read_page_map(store.maps[1])->key;
  for (std::uint64_t number = 2; number < 14; ++number) {
    auto disks = shown.back();
    std::vector<Write> writes;
    for (std::uint32_t disk = 0; disk < 2; ++disk)
      for (std::uint64_t page = 0; page < 600; ++page)
        if (random() % 5 == 0) {
          disks[disk][page] = random() % 9 == 0 ? 0 : 20'000 + random() % 5'000;
          writes.push_back({disk, page});
        }
    for (int n = 0; n < 500; ++n) {
      const auto& [disk, page] = Write{static_cast<std::uint32_t>(random() % 2), random() % 600};
      memory[random() % memory.size()] =
          random() % 4 != 0 ? disks[disk][page] : 30'000 + random() % 10'000;
    }
    if (random() % 4 != 0) store.disks = learn(key, disks, writes);
    // Launched from the generation before, or running on since.
    if (random() % 2 == 0) store.tags = store.tags_of(number - 1, {reader_of(shown.back()), {}});
    store.own_tags = random() % 2 == 0 ? PageEncoderSettings::OwnTags::wanted
                                       : PageEncoderSettings::OwnTags::unwanted;
    store.encode(number, stream_of(memory), number - 1);
    told += store.made[number].told_by_tag;
    shown.push_back(std::move(disks));
    memories.push_back(memory);
  }
  std::uint64_t borrowed = 0;
  for (std::uint64_t number = 1; number < 14; ++number) {
    const Lenders lenders{reader_of(shown[number - 1]), {}};
    CHECK((store.decode(number, 2, lenders) == stream_of(memories[number - 1])));
    borrowed += store.made[number].borrowed;
  }
  CHECK(borrowed > 300);
  CHECK(told > 5'000);
}

TEST_CASE("a table of borrowed cells comes back, and a broken one is refused") {
  std::mt19937 random(7);
  BorrowTable table({"vda", "sdb_1"});
  std::uint64_t cell = 0;
  for (std::uint32_t n = 0; n < 200; ++n) {
    cell += random() % 3;
    const auto first = random() % 100'000;
    for (std::uint64_t i = 0, count = 1 + random() % 5; i < count; ++i)
      table.add(cell++, {n % 2, first + i});
  }
  const auto bytes = table.write();
  const auto read = BorrowTable::read(bytes, 100'000);
  REQUIRE(read);
  CHECK(read->write() == bytes);
  CHECK(read->targets() == table.targets());
  for (std::uint64_t i = 0; i < 2000; ++i) {
    CHECK(read->at(i) == table.at(i));
    CHECK(read->before(i + 1) == read->before(i) + (read->at(i) ? 1 : 0));
  }
  CHECK(!BorrowTable::read(bytes, table.runs().back().cell));
  for (const auto* broken : {"", "\x01", "\x01\x03vda", "\x01\x03v/a\x00\x00\x00\x01", "\x00"})
    CHECK(!BorrowTable::read(broken, 100));
  CHECK(!BorrowTable::read(std::string_view("\x01\x03vda\x00\x01\x00\x01", 9), 100));
  CHECK(!BorrowTable::read(std::string_view("\x01\x03vda\x00\x00\x01\x01", 9), 100));
  CHECK(BorrowTable::read(std::string_view("\x01\x03vda\x00\x00\x00\x01", 9), 100));
  for (int n = 0; n < 20'000; ++n) {
    auto damaged = bytes;
    for (auto flips = 1 + random() % 3; flips > 0; --flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    damaged.resize(random() % 8 == 0 ? random() % damaged.size() : damaged.size());
    const auto found = BorrowTable::read(damaged, 100'000);
    if (!found) continue;
    for (const auto& run : found->runs()) REQUIRE(run.cell + run.count <= 100'000);
  }
}
