#include "hibernation/page_codec.hpp"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <random>
#include <stdexcept>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "hibernation/alive_cells.hpp"
#include "page_samples.hpp"
#include "streams.hpp"

using namespace satchel;
using namespace satchel::hibernation;
using namespace satchel::test;

TEST_CASE("a machine comes back bit for bit, whatever its size and the threads") {
  const auto pages = GENERATE(1, 255, 256, 257, 3000);
  const auto threads = GENERATE(1U, 2U, 7U);
  const auto stream = stream_of(first_memory(static_cast<std::size_t>(pages)));
  PageStore store;
  store.encode(1, stream, 0, threads);
  CHECK(store.made[1].stream_size == ByteCount(stream.size()));
  CHECK((store.decode(1, threads) == stream));
}

TEST_CASE("what is no stream of QEMU's comes back bit for bit") {
  std::mt19937 random(1);
  for (const std::size_t size : {0UL, 1UL, 4095UL, 4096UL, 700'001UL, 2'000'000UL}) {
    std::string bytes(size, '\0');
    for (auto& c : bytes) c = static_cast<char>(random() % 5);
    PageStore store;
    store.encode(1, bytes, 0);
    store.encode(2, bytes, 1);
    CHECK((store.decode(1) == bytes));
    CHECK((store.decode(2) == bytes));
    CHECK(store.segments[2].size() < 200);
  }
}

TEST_CASE("real streams come back bit for bit, also damaged ones and beginnings") {
  const auto& stream = real_stream();
  const auto& other = real_stream("-machine pc -vga cirrus -device virtio-balloon");
  PageStore store;
  store.encode(1, stream, 0);
  store.encode(2, other, 1);
  CHECK((store.decode(1) == stream));
  CHECK((store.decode(2) == other));
  std::mt19937 random(2);
  for (std::uint64_t number = 3; number < 60; ++number) {
    auto damaged = random() % 2 ? stream.substr(0, random() % stream.size()) : stream;
    for (unsigned n = random() % 20; n > 0 && !damaged.empty(); --n)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    store.encode(number, damaged, 1 + random() % (number - 1));
    CHECK((store.decode(number) == damaged));
  }
}

TEST_CASE("only what is new is written") {
  auto memory = first_memory(5000);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  CHECK(store.segments[1].size() > 4200U * 4096);
  for (std::size_t i = 2000; i < 2050; ++i) memory[i] = 100'000 + i;
  store.encode(2, stream_of(memory), 1);
  CHECK((store.decode(2) == stream_of(memory)));
  CHECK(store.made[2].segments.front().cells == 50);
  CHECK(store.segments[2].size() < 51 * 4096 + 2000);
  CHECK(store.maps[2].size() < 500);
  CHECK(store.made[2].segments.size() == 2);
  // Nothing changed at all.
  store.encode(3, stream_of(memory), 2);
  CHECK((store.decode(3) == stream_of(memory)));
  CHECK(store.made[3].segments.front().cells == 0);
  CHECK(store.segments[3].size() < 100);
}

TEST_CASE("content that is there twice is stored once, wherever it stands") {
  auto memory = first_memory(1500);
  for (std::size_t i = 700; i < 1400; ++i) memory[i] = memory[i - 700];
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  CHECK(store.made[1].segments.front().cells < 720);
  std::ranges::reverse(memory);
  store.encode(2, stream_of(memory), 1);
  CHECK((store.decode(2) == stream_of(memory)));
  // But for the first page of a part, whose content is the same as well.
  CHECK(store.made[2].segments.front().cells < 3);
}

TEST_CASE("random histories of a machine's memory come back, each generation of them") {
  std::mt19937 random(GENERATE(3, 4, 5));
  auto memory = first_memory(1200);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  for (std::uint64_t number = 2; number < 40; ++number) {
    const auto share = 1 + random() % 300;
    for (unsigned i = 0; i < share; ++i) {
      auto& page = memory[random() % memory.size()];
      page = random() % 3 == 0 ? memory[random() % memory.size()] : random();
    }
    store.encode(number, stream_of(memory), number - 1);
    CHECK((store.decode(number) == stream_of(memory)));
    // What a generation needs is at most twice what it has, and what was written for it.
    std::uint64_t cells = 0;
    for (const auto& segment : store.made[number].segments) cells += segment.cells;
    CHECK(cells <= 2 * 1220 + store.made[number].segments.front().cells);
    CHECK(store.made[number].segments.size() <= 17);
  }
}

TEST_CASE("the stand-in and the own segment make the stream without any other") {
  auto memory = first_memory(3000);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  for (std::size_t i = 0; i < 3000; i += 10) memory[i] = memory[(i * 7) % 3000] + 5'000'000;
  store.encode(2, stream_of(memory), 1);
  CHECK((store.decode_stand_in(2) == stream_of(memory)));
}

TEST_CASE("a flipped bit in any segment is found, and nothing wrong is given out") {
  auto memory = first_memory(1000);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  for (std::size_t i = 300; i < 500; ++i) memory[i] += 9'000'000;
  store.encode(2, stream_of(memory), 1);
  const auto stream = stream_of(memory);
  std::mt19937 random(6);
  for (int i = 0; i < 100; ++i) {
    auto damaged = store;
    const std::uint64_t number = 1 + i % 2;
    auto& segment = damaged.segments[number];
    // The names of cells at the end are for the encoder alone.
    const auto size = segment.size() - store.made[number].segments.front().named * 16;
    auto& c = segment[random() % size];
    c = static_cast<char>(c ^ 1 << random() % 8);
    std::string out;
    std::string said;
    try {
      auto map = read_page_map(damaged.maps.at(2));
      REQUIRE(map);
      const PageDecoder decoder(std::move(*map), damaged.opener());
      decoder.decode(appending_to(out), 2, {}, {});
    } catch (const Fault& fault) {
      said = fault.what();
    }
    CHECK((stream.starts_with(out)));
    // The 8 bytes of the frame around the table are for other tools.
    if (said.empty()) CHECK((out == stream));
    if (!said.empty())
      CHECK_THAT(said, Catch::Contains("the memory of generation " + std::to_string(number)));
  }
}

TEST_CASE("names that are damaged are no base") {
  PageStore store;
  store.encode(1, stream_of(first_memory(300)), 0);
  const auto map = read_page_map(store.maps[1]);
  store.segments[1].back() ^= 1;
  CHECK_THROWS_WITH(read_page_base(*map, store.opener()),
                    Catch::Contains("the memory of generation 1"));
  store.segments.erase(1);
  CHECK_THROWS_AS(read_page_base(*map, store.opener()), Fault);
}

TEST_CASE("segments that are mostly dead are referred to no more") {
  auto memory = first_memory(2000);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  for (std::size_t i = 0; i < 1300; ++i) memory[i] += 9'000'000;
  store.encode(2, stream_of(memory), 1);
  CHECK(store.made[2].segments.size() == 2);
  CHECK(worth_keeping(store.map(2), alive_cells(store.map(2))) == std::vector<std::size_t>{0});
  store.encode(3, stream_of(memory), 2);
  CHECK(store.made[3].segments.size() == 2);
  CHECK(store.made[3].segments.back().number == 2);
  CHECK((store.decode(3) == stream_of(memory)));
}

TEST_CASE("memory in random order is stored anew rather than read a block a page") {
  Memory memory(40'000);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = i + 1;
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  std::shuffle(memory.begin(), memory.end(), std::mt19937(7));
  store.encode(2, stream_of(memory), 1);
  const auto map = read_page_map(store.maps[2]);
  REQUIRE(map);
  const PageDecoder decoder(*map, store.opener());
  std::string out;
  const auto read = decoder.decode(appending_to(out), 2, {}, {}).read;
  CHECK((out == stream_of(memory)));
  CHECK(read.value < 5 * out.size() + (64U << 20));
}

TEST_CASE("a stop at any point ends the page encoder and decoder, never with a wrong result") {
  auto memory = first_memory(2000);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  for (std::size_t i = 0; i < 900; ++i) memory[i] += 9'000'000;
  const auto stream = stream_of(memory);
  const auto map = read_page_map(store.maps[1]);
  for (int point = 0; point <= 30; ++point) {
    std::stop_source stop;
    int calls = 0;
    std::string out;
    const Sink counting = [&](std::span<const std::byte> bytes) {
      if (calls++ == point) stop.request_stop();
      appending_to(out)(bytes);
    };
    try {
      PageEncoderSettings settings;
      settings.number = 2;
      const auto made =
          encode_pages(source_of(stream, 5'000), {counting, {}},
                       read_page_base(*map, store.opener()), settings, {}, stop.get_token());
      store.segments[2] = out;
      store.maps[2] = made.map;
      CHECK((store.decode(2) == stream));
    } catch (const Fault& fault) {
      CHECK(fault.remedy() == Remedy::retry);
    }
    stop = {};
    calls = 0;
    out.clear();
    const auto before = stream_of(first_memory(2000));
    try {
      const PageDecoder decoder(*map, store.opener());
      decoder.decode(counting, 3, {}, stop.get_token());
      CHECK((out == before));
    } catch (const Fault& fault) {
      CHECK(fault.remedy() == Remedy::retry);
      CHECK((before.starts_with(out)));
    }
  }
}

TEST_CASE("a sink that throws ends the page encoder, also one whose source waits for more") {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::uint64_t given = 0;
  const Source endless = [&](std::span<std::byte> buffer, const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    if (++given > 3'000) {
      changed.wait(lock, stop, [] { return false; });
      throw std::runtime_error("the source was told to stop");
    }
    const auto page = random_page(given);
    const auto n = std::min(buffer.size(), page.size());
    std::copy_n(std::as_bytes(std::span(page)).begin(), n, buffer.begin());
    return n;
  };
  const Sink failing = [](std::span<const std::byte>) { throw std::runtime_error("no space"); };
  CHECK_THROWS_WITH(encode_pages(endless, {failing, {}}, {}, {}, {}, {}), "no space");
}

TEST_CASE("a source that throws ends the page encoder with its own reason") {
  int given = 0;
  const Source failing = [&](std::span<std::byte> buffer, const std::stop_token&) {
    if (++given > 20) throw std::runtime_error("the guest died");
    return buffer.size();
  };
  std::string pages;
  CHECK_THROWS_WITH(encode_pages(failing, {appending_to(pages), {}}, {}, {}, {}, {}),
                    "the guest died");
}

TEST_CASE("progress of the page codec grows to the whole stream") {
  const auto stream = stream_of(first_memory(3000));
  PageStore store;
  std::vector<std::uint64_t> seen;
  const auto note = [&](const Progress& p) { seen.push_back(p.done.value); };
  const auto made = encode_pages(source_of(stream, 1 << 20), {appending_to(store.segments[1]), {}},
                                 {}, {}, note, {});
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.back() == stream.size());
  seen.clear();
  const PageDecoder decoder(*read_page_map(made.map), store.opener());
  std::string out;
  decoder.decode(appending_to(out), 2, note, {});
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.back() == stream.size());
}

TEST_CASE("the documented procedure puts a stream together with stock tools") {
  auto memory = first_memory(600);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  for (std::size_t i = 100; i < 130; ++i) memory[i] += 9'000'000;
  for (std::size_t i = 200; i < 240; i += 3) memory[i] |= std::uint64_t{i} << 32;
  store.encode(2, real_stream() + stream_of(memory) + std::string(9000, '\0'), 1);

  REQUIRE(store.made[2].differences > 5);

  const auto script = documented_script();
  const auto one = file_with(store.segments[1]);
  const auto two = file_with(store.segments[2]);
  const auto map = file_with(store.maps[2]);
  for (const auto* each : {&one, &two}) REQUIRE(lseek(each->get(), 0, SEEK_SET) == 0);
  ProcessRun run;
  run.arguments = {"sh", "-ec",
                   "d=$(mktemp -d); trap 'rm -r $d' EXIT; zstd -dc <&3 >$d/1.cells; "
                   "zstd -dc <&4 >$d/2.cells; cd $d; python3 -c \"$1\" /dev/fd/5",
                   "sh", script};
  run.descriptors = {one.get(), two.get(), map.get()};
  std::string out;
  run.on_output = [&](std::string_view piece) { out += piece; };
  const auto end = run_process(run);
  CHECK(end.errors == "");
  CHECK(end.exit_status == 0);
  CHECK((out == real_stream() + stream_of(memory) + std::string(9000, '\0')));
}
