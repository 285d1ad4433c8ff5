#include "hibernation/codec.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <mutex>
#include <random>
#include <stdexcept>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "crypto/digest.hpp"
#include "hibernation/codec_map.hpp"
#include "page_samples.hpp"

using namespace satchel;
using namespace satchel::hibernation;
using test::appending_to;
using test::file_with;
using test::source_of;

namespace {

/// Like memory: zero pages, text, and pages that nothing makes smaller.
std::string memory_like(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out;
  while (out.size() < size) {
    switch (random() % 3) {
      case 0:
        out.append(4096, '\0');
        break;
      case 1:
        out.append(4096, static_cast<char>(random()));
        break;
      default:
        for (int i = 0; i < 1024; ++i) {
          const auto word = random();
          out.append(reinterpret_cast<const char*>(&word), 4);
        }
    }
  }
  out.resize(size);
  return out;
}

struct Objects {
  Encoded encoded;
  std::string pages;
};

Objects encode_all(const std::string& stream, const EncoderSettings& settings = {},
                   std::size_t piece = 100'000) {
  Objects out;
  out.encoded = encode(source_of(stream, piece), appending_to(out.pages), settings, {}, {});
  return out;
}

std::string decode_all(const std::string& map, const std::string& pages, unsigned threads = 2) {
  const auto decoder = Decoder::parse(map);
  REQUIRE(decoder);
  std::string out;
  decoder->decode(file_with(pages).get(), appending_to(out), threads, {}, {});
  return out;
}

/// What decoding gives before it throws; the fault's text is checked.
std::string decode_damaged(const std::string& map, const std::string& pages,
                           const std::string& expected) {
  const auto decoder = Decoder::parse(map);
  REQUIRE(decoder);
  std::string out;
  REQUIRE_THROWS_WITH(decoder->decode(file_with(pages).get(), appending_to(out), 2, {}, {}),
                      Catch::Contains(expected));
  return out;
}

}  // namespace

TEST_CASE("a stream comes back bit for bit, whatever its size and the settings") {
  const auto size = GENERATE(0, 1, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5'000'000);
  const auto threads = GENERATE(1U, 2U, 7U);
  const auto stream = memory_like(static_cast<std::size_t>(size), 1);
  EncoderSettings settings;
  settings.threads = threads;
  const auto objects = encode_all(stream, settings);
  CHECK(objects.encoded.stream_size == ByteCount(stream.size()));
  CHECK(objects.encoded.pages_size == ByteCount(objects.pages.size()));
  CHECK((decode_all(objects.encoded.map, objects.pages, threads) == stream));
}

TEST_CASE("many small blocks keep their order") {
  const auto stream = memory_like(3'000'000, 2);
  EncoderSettings settings;
  settings.block = 1000;
  settings.threads = 5;
  const auto objects = encode_all(stream, settings, 777);
  CHECK((decode_all(objects.encoded.map, objects.pages, 3) == stream));
}

TEST_CASE("the largest blocks and the strongest level work") {
  const auto stream = memory_like(20'000'000, 3);
  EncoderSettings settings;
  settings.block = largest_raw_block;
  const auto objects = encode_all(stream, settings);
  CHECK((decode_all(objects.encoded.map, objects.pages) == stream));
  settings.block = 1U << 20;
  settings.level = 19;
  const auto small = encode_all(stream.substr(0, 1'500'000), settings);
  CHECK((decode_all(small.encoded.map, small.pages) == stream.substr(0, 1'500'000)));
}

TEST_CASE("settings out of range are a fault") {
  EncoderSettings settings;
  settings.level = 20;
  CHECK_THROWS_AS(encode_all("x", settings), Fault);
  settings = {};
  settings.threads = 0;
  CHECK_THROWS_AS(encode_all("x", settings), Fault);
  settings = {};
  settings.block = largest_raw_block + 1;
  CHECK_THROWS_AS(encode_all("x", settings), Fault);
}

TEST_CASE("the stock zstd tool rebuilds the stream from the pages object") {
  const auto stream = memory_like(3'300'000, 4);
  const auto objects = encode_all(stream);
  const auto file = file_with(objects.pages);
  ProcessRun run;
  run.arguments = {"sh", "-c", "zstd -dc <&3"};
  run.descriptors = {file.get()};
  REQUIRE(lseek(file.get(), 0, SEEK_SET) == 0);
  std::string unpacked;
  run.on_output = [&](std::string_view piece) { unpacked += piece; };
  const auto end = run_process(run);
  CHECK(end.errors == "");
  CHECK(end.exit_status == 0);
  CHECK((unpacked == stream));
}

TEST_CASE("progress grows to the whole stream") {
  const auto stream = memory_like(5'000'000, 5);
  std::string pages;
  std::vector<std::uint64_t> seen;
  const auto encoded = encode(source_of(stream, 1 << 20), appending_to(pages), {},
                              [&](const Progress& p) { seen.push_back(p.done.value); }, {});
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.back() == stream.size());
}

TEST_CASE(
    "a flipped bit anywhere in the pages is found, its block named, and none of it given out") {
  const auto stream = memory_like(400'000, 6);
  EncoderSettings settings;
  settings.block = 100'000;
  const auto objects = encode_all(stream, settings);
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    auto pages = objects.pages;
    const auto at = random() % pages.size();
    pages[at] = static_cast<char>(pages[at] ^ (1 << random() % 8));
    const auto table = read_map(objects.encoded.map);
    std::size_t block = 0;
    for (std::size_t end = table->blocks[0].packed_size; at >= end;)
      end += table->blocks[++block].packed_size;
    const auto given = decode_damaged(
        objects.encoded.map, pages, "block " + std::to_string(block) + " of the machine's memory");
    CHECK(given.size() <= block * settings.block);
    CHECK((stream.starts_with(given)));
  }
}

TEST_CASE("pages that end early or late are refused") {
  const auto stream = memory_like(2'500'000, 8);
  const auto objects = encode_all(stream);
  decode_damaged(objects.encoded.map, objects.pages.substr(0, objects.pages.size() - 1),
                 "the file ends before it");
  decode_damaged(objects.encoded.map, "", "block 0 of");
  decode_damaged(objects.encoded.map, objects.pages + "x", "longer than its map says");
}

TEST_CASE("a signed block whose frame is not what the map says is refused") {
  const auto objects = encode_all(memory_like(100'000, 9));
  auto table = *read_map(objects.encoded.map);
  const auto refused = [&](const std::string& pages, std::uint32_t raw_size) {
    BlockTable forged;
    forged.add({static_cast<std::uint32_t>(pages.size()), raw_size, digest_of(pages)});
    CHECK(decode_damaged(write_map(forged), pages, "does not hold what the map says").empty());
  };
  refused(objects.pages, 99'999);
  refused(objects.pages, 100'001);
  refused(objects.pages + objects.pages, 100'000);
  refused(objects.pages + "x", 100'000);
  refused(std::string("\x50\x2a\x4d\x18\x04\0\0\0abcd", 12), 4);  // a skippable frame
  refused("no frame at all", 15);
}

TEST_CASE("every truncation and every flipped bit of a map's head is refused") {
  const auto map = encode_all(memory_like(3'000'000, 10)).encoded.map;
  for (std::size_t size = 0; size < map.size(); ++size)
    CHECK_FALSE(Decoder::parse(std::string_view(map).substr(0, size)));
  CHECK_FALSE(Decoder::parse(map + '\0'));
  for (std::size_t bit = 0; bit < 32 * 8; ++bit) {
    auto other = map;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    CHECK_FALSE(Decoder::parse(other));
  }
}

TEST_CASE("a map of impossible blocks is refused, and random bytes never crash it") {
  const auto with = [](std::uint32_t packed, std::uint32_t raw) {
    BlockTable table;
    table.add({packed, raw, {}});
    return Decoder::parse(write_map(table));
  };
  CHECK(with(1, 1));
  CHECK(with(largest_packed_block, largest_raw_block));
  CHECK_FALSE(with(0, 1));
  CHECK_FALSE(with(1, 0));
  CHECK_FALSE(with(1, largest_raw_block + 1));
  CHECK_FALSE(with(largest_packed_block + 1, 1));
  CHECK_FALSE(with(0xffffffff, 0xffffffff));

  const auto map = encode_all(memory_like(3'000'000, 11)).encoded.map;
  std::mt19937 random(12);
  for (int i = 0; i < 20'000; ++i) {
    auto other = map;
    for (unsigned n = 1 + random() % 4; n > 0; --n)
      other[random() % other.size()] = static_cast<char>(random());
    Decoder::parse(other);
  }
}

TEST_CASE("a sink that throws ends the encoder, also one whose source waits for more") {
  std::mutex mutex;
  std::condition_variable_any changed;
  int given = 0;
  const Source endless = [&](std::span<std::byte> buffer, const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    if (++given > 5) {
      changed.wait(lock, stop, [] { return false; });
      throw std::runtime_error("the source was told to stop");
    }
    return buffer.size();
  };
  const Sink failing = [](std::span<const std::byte>) { throw std::runtime_error("no space"); };
  CHECK_THROWS_WITH(encode(endless, failing, {}, {}, {}), "no space");
}

TEST_CASE("a source that throws ends the encoder with its own reason") {
  int given = 0;
  const Source failing = [&](std::span<std::byte> buffer, const std::stop_token&) {
    if (++given > 20) throw std::runtime_error("the guest died");
    return buffer.size();
  };
  std::string pages;
  CHECK_THROWS_WITH(encode(failing, appending_to(pages), {}, {}, {}), "the guest died");
}

TEST_CASE("a stop at any point ends encoder and decoder, and never with a wrong result") {
  const auto stream = memory_like(600'000, 13);
  EncoderSettings settings;
  settings.block = 10'000;
  settings.threads = 3;
  const auto objects = encode_all(stream, settings);
  const auto decoder = Decoder::parse(objects.encoded.map);
  const auto file = file_with(objects.pages);
  for (int point = 0; point <= 60; ++point) {
    std::stop_source stop;
    int calls = 0;
    std::string pages;
    const Sink counting = [&](std::span<const std::byte> bytes) {
      if (calls++ == point) stop.request_stop();
      appending_to(pages)(bytes);
    };
    try {
      encode(source_of(stream, 5'000), counting, settings, {}, stop.get_token());
      CHECK((pages == objects.pages));
    } catch (const Fault& fault) {
      CHECK(fault.remedy() == Remedy::retry);
      CHECK((objects.pages.starts_with(pages)));
    }
    stop = {};
    calls = 0;
    pages.clear();
    REQUIRE(lseek(file.get(), 0, SEEK_SET) == 0);
    try {
      decoder->decode(file.get(), counting, 3, {}, stop.get_token());
      CHECK((pages == stream));
    } catch (const Fault& fault) {
      CHECK(fault.remedy() == Remedy::retry);
      CHECK((stream.starts_with(pages)));
    }
  }
}

TEST_CASE("a sink that throws ends the decoder with its own reason") {
  const auto objects = encode_all(memory_like(9'000'000, 14));
  const auto decoder = Decoder::parse(objects.encoded.map);
  const auto file = file_with(objects.pages);
  const Sink failing = [](std::span<const std::byte>) { throw std::runtime_error("QEMU is gone"); };
  CHECK_THROWS_WITH(decoder->decode(file.get(), failing, 2, {}, {}), "QEMU is gone");
}
