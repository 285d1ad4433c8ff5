// Encodes and decodes migration streams with both codecs and says what it cost: one line of
// "name value value …" for each thing measured, for bench/memory to show.
// Usage: bench_memory DIRECTORY STREAM…: each stream refers to the one before it. The directory
// gets the segments.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "hibernation/cell_reader.hpp"
#include "hibernation/cell_tags.hpp"
#include "hibernation/page_codec.hpp"

using namespace satchel;
using namespace satchel::hibernation;

namespace {

using Clock = std::chrono::steady_clock;

std::string whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Source source_of(const std::string& text) {
  return [&text, at = std::size_t{0}](std::span<std::byte> buffer, const std::stop_token&) mutable {
    const auto n = std::min<std::size_t>({buffer.size(), 64U << 10, text.size() - at});
    const auto from = std::as_bytes(std::span(text)).subspan(at, n);
    std::copy(from.begin(), from.end(), buffer.begin());
    at += n;
    return n;
  };
}

template <class F>
double seconds(F work) {
  const auto began = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - began).count();
}

/// Checks what comes out against what went in.
Sink comparing(const std::string& text, std::size_t& at) {
  return [&text, &at](std::span<const std::byte> bytes) {
    if (text.compare(at, bytes.size(), reinterpret_cast<const char*>(bytes.data()), bytes.size()) !=
        0)
      throw std::runtime_error("the stream did not come back");
    at += bytes.size();
  };
}

/// How pages are stored; each goes on from its own stream before, whose decoding made tags as a
/// launch does.
struct Way {
  const char* name;
  bool with_stand_in;
  bool with_differences;
  bool with_tags;
  std::string map_before{};
  std::shared_ptr<CellTags> tags{};
};

struct Bench {
  std::string directory;
  std::uint64_t number = 0;

  std::string path_of(std::uint64_t of) const {
    return directory + "/" + std::to_string(of) + ".pages";
  }

  SegmentOpener opener() const {
    return [this](const Segment& segment) {
      return UniqueFd(::open(path_of(segment.number).c_str(), O_RDONLY | O_CLOEXEC));
    };
  }

  void blocks(const std::string& stream) const {
    std::uint64_t size = 0;
    const Sink counting = [&](std::span<const std::byte> bytes) { size += bytes.size(); };
    const double took =
        seconds([&] { size += encode(source_of(stream), counting, {}, {}, {}).map.size(); });
    std::printf("zstd-blocks-1 %zu %.3f\n", static_cast<std::size_t>(size), took);
  }

  void pages(const std::string& stream, Way& way) {
    ++number;
    std::uint64_t stand_in = 0;
    double base_took = 0;
    double took = 0;
    EncodedPages made;
    // The quickest of three counts, as for what it is held against.
    for (int attempt = 0; attempt < 3; ++attempt) {
      std::ofstream file(path_of(number), std::ios::binary);
      stand_in = 0;
      PageSinks sinks;
      sinks.segment = [&](std::span<const std::byte> bytes) {
        file.write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
      };
      if (way.with_stand_in)
        sinks.stand_in = [&](std::span<const std::byte> bytes) { stand_in += bytes.size(); };
      PageEncoderSettings settings;
      settings.number = number;
      PageBase base;
      const double loading = seconds([&] {
        if (!way.map_before.empty())
          base = read_page_base(*read_page_map(way.map_before), opener());
      });
      CellReader reader(base.segments, opener());
      if (way.with_differences)
        base.content = [&](std::size_t segment, std::uint64_t cell) {
          return reader.read(segment, cell);
        };
      base.tags = way.tags;
      const double encoding = seconds([&] {
        made = encode_pages(source_of(stream), sinks, std::move(base), settings, {}, {});
      });
      if (attempt > 0 && encoding >= took) continue;
      base_took = loading;
      took = encoding;
    }
    std::printf(
        "%s %zu %.3f segment %zu map %zu base %.3f stand-in %zu new %zu differences %zu known "
        "%zu by-tags %zu\n",
        way.name, static_cast<std::size_t>(made.segments.front().size.value + made.map.size()),
        took, static_cast<std::size_t>(made.segments.front().size.value), made.map.size(),
        base_took, static_cast<std::size_t>(stand_in),
        static_cast<std::size_t>(made.segments.front().cells),
        static_cast<std::size_t>(made.differences), static_cast<std::size_t>(made.known_cells),
        static_cast<std::size_t>(made.told_by_tag));
    std::size_t at = 0;
    ByteCount read;
    if (way.with_tags) way.tags = CellTags::make(directory);
    const double decoding = seconds([&] {
      const PageDecoder decoder(*read_page_map(made.map), opener());
      read = decoder.decode(comparing(stream, at), 2, {}, {}, way.tags.get()).read;
    });
    if (at != stream.size()) throw std::runtime_error("the stream came back short");
    std::uint64_t there = 0;
    for (const auto& segment : made.segments) there += segment.size.value;
    std::printf("%s-decode %zu %.3f of %zu in %zu segments\n", way.name,
                static_cast<std::size_t>(read.value), decoding, static_cast<std::size_t>(there),
                made.segments.size());
    way.map_before = made.map;
  }
};

}  // namespace

int main(int argc, char** argv) {
  try {
    Bench bench{argv[1]};
    std::array ways{
        Way{"zstd-pages-2", false, true, true}, Way{"zstd-pages-2+copy", true, true, true},
        Way{"without-tags", false, true, false}, Way{"without-differences", false, false, false}};
    for (int i = 2; i < argc; ++i) {
      const auto stream = whole(argv[i]);
      std::printf("stream %s\nplain %zu\n", argv[i], stream.size());
      bench.blocks(stream);
      for (auto& way : ways) bench.pages(stream, way);
      std::fflush(stdout);
    }
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
  }
}
