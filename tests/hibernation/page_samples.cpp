#include "page_samples.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "base/fault.hpp"
#include "hibernation/cell_reader.hpp"
#include "streams.hpp"

namespace satchel::test {

using namespace hibernation;

Memory first_memory(std::size_t pages) {
  Memory out(pages);
  for (std::size_t i = 0; i < pages; ++i) out[i] = i % 7 == 3 ? 0 : i + 1;
  return out;
}

void change_some(Memory& memory, const std::vector<Memory>& past, std::mt19937& random) {
  for (auto n = random() % 400; n > 0; --n) {
    auto& page = memory[random() % memory.size()];
    const auto what = random() % 4;
    if (what == 0)
      page = random() % 1'000'000;
    else if (what == 1)
      page = past[random() % past.size()][random() % memory.size()];
    else if (page != 0)
      page = (page & 0xffffffff) | (random() % 0xffff) * little;
  }
}

std::string page_of(std::uint64_t what) {
  auto page = random_page(what & 0xffffffff);
  for (auto seed = what >> 32; seed != 0; seed >>= 8)
    page[(seed * 1031) % page.size()] = static_cast<char>(seed);
  return page;
}

std::string stream_of(const Memory& memory) {
  MadeStream made;
  made.setup(memory.size() * 4096);
  for (std::size_t at = 0; at < memory.size(); at += 1000) {
    made.begin_part();
    for (std::size_t i = at; i < std::min(memory.size(), at + 1000); ++i) {
      if (memory[i] == 0 && i != at)
        made.fill(i);
      else if (i == at)
        made.first_page(i, "pc.ram", page_of(memory[i]));
      else
        made.page(i, page_of(memory[i]));
    }
    made.end_part();
  }
  std::string devices;
  for (int i = 0; i < 5; ++i) devices += random_page(1'000'000 + i);
  return made.add(devices + "the end").str();
}

SegmentOpener PageStore::opener() const {
  return [this](const Segment& segment) {
    const auto found = segments.find(segment.number);
    if (found == segments.end() || found->second.size() != segment.size.value)
      throw Fault(Remedy::replug, {"open", "a segment", "it is not there", {}});
    return file_with(found->second);
  };
}

void PageStore::encode(std::uint64_t number, const std::string& stream, std::uint64_t base,
                       unsigned threads, Content content) {
  PageBase from;
  std::optional<CellReader> reader;
  if (base != 0) {
    const auto map = read_page_map(maps.at(base));
    REQUIRE(map);
    from = read_page_base(*map, opener());
    reader.emplace(from.segments, opener());
    if (content == Content::at_hand)
      from.content = [&](std::size_t segment, std::uint64_t cell) {
        return reader->read(segment, cell);
      };
  }
  encode(number, stream, std::move(from), threads);
}

PageMap PageStore::map(std::uint64_t number) const {
  auto map = read_page_map(maps.at(number));
  REQUIRE(map);
  return std::move(*map);
}

void PageStore::encode(std::uint64_t number, const std::string& stream, PageBase from,
                       unsigned threads) {
  from.disks = std::exchange(disks, std::nullopt);
  from.tags = tags;
  auto& segment = segments[number];
  stand_in.clear();
  PageEncoderSettings settings;
  // Two encodings of the same are held against each other, however long their writing takes.
  settings.level_is = PageEncoderSettings::Level::as_set;
  settings.number = number;
  settings.threads = threads;
  settings.own_tags = own_tags;
  made[number] =
      encode_pages(source_of(stream, 100'000),
                   {appending_to(segment), appending_to(stand_in), appending_to(borrowed[number])},
                   std::move(from), settings, {}, {});
  maps[number] = made[number].map;
}

std::string PageStore::decode(std::uint64_t number, unsigned threads, Lenders lenders) const {
  auto map = read_page_map(maps.at(number));
  REQUIRE(map);
  const PageDecoder decoder(std::move(*map), opener(), std::move(lenders));
  std::string out;
  decoder.decode(appending_to(out), threads, {}, {});
  return out;
}

std::string PageStore::decode_stand_in(std::uint64_t number) const {
  auto map = read_page_map(made.at(number).stand_in_map);
  REQUIRE(map);
  REQUIRE(map->segments.size() == 2);
  const PageDecoder decoder(
      std::move(*map),
      [&](const Segment& segment) {
        return file_with(segment.number == 0 ? stand_in : segments.at(number));
      },
      {{}, [&](const Segment&) { return file_with(borrowed.at(number)); }});
  std::string out;
  decoder.decode(appending_to(out), 2, {}, {});
  return out;
}

std::shared_ptr<CellTags> PageStore::tags_of(std::uint64_t number, Lenders lenders) const {
  auto made_tags = new_tags();
  const PageDecoder decoder(*read_page_map(maps.at(number)), opener(), std::move(lenders));
  const Sink nobody = [](std::span<const std::byte>) {};
  decoder.decode(nobody, 2, {}, {}, made_tags.get());
  return made_tags;
}

std::shared_ptr<CellTags> new_tags() {
  auto tags = CellTags::make(std::filesystem::temp_directory_path());
  REQUIRE(tags);
  return tags;
}

Source source_of(const std::string& text, std::size_t piece) {
  return [&text, piece, at = std::size_t{0}](std::span<std::byte> buffer,
                                             const std::stop_token&) mutable {
    const auto n = std::min({buffer.size(), piece, text.size() - at});
    std::copy_n(std::as_bytes(std::span(text)).begin() + static_cast<std::ptrdiff_t>(at), n,
                buffer.begin());
    at += n;
    return n;
  };
}

Sink appending_to(std::string& text) {
  return [&text](std::span<const std::byte> bytes) {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
}

UniqueFd file_with(const std::string& content) {
  UniqueFd file(memfd_create("pages", MFD_CLOEXEC));
  REQUIRE(pwrite(file.get(), content.data(), content.size(), 0) ==
          static_cast<ssize_t>(content.size()));
  return file;
}

std::string documented_script() {
  std::ifstream file(SATCHEL_SOURCE_DIR "/docs/DEVICE-FORMAT.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto begin = text.find("```python\n");
  REQUIRE(begin != std::string::npos);
  return text.substr(begin + 10, text.find("```\n", begin + 10) - begin - 10);
}

}  // namespace satchel::test
