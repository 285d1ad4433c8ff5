#include "fuzz/generations.hpp"

#include <algorithm>
#include <utility>

#include "fuzz/stretch.hpp"
#include "hibernation/cell_reader.hpp"
#include "hibernation/stream_parser.hpp"

namespace satchel::fuzz {

using namespace hibernation;

namespace {

/// The same in each run, so that what was found is found again.
constexpr ContentKey key{{1, 2, 3}};
const std::string target = "vda";

Source source_of(std::string_view stream, std::size_t at_once) {
  return [rest = stream, at_once](std::span<std::byte> buffer, const std::stop_token&) mutable {
    const auto piece = rest.substr(0, std::min(buffer.size(), at_once));
    std::ranges::copy(bytes_of(piece), buffer.begin());
    rest.remove_prefix(piece.size());
    return piece.size();
  };
}

Sink append_to(std::string& out) {
  return [&out](std::span<const std::byte> bytes) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
}

PageMap readable(const std::string& bytes) {
  auto map = read_page_map(bytes);
  must(map.has_value(), "a map that was made can be read");
  return std::move(*map);
}

std::string decoded(const PageDecoder& decoder) {
  std::string out;
  decoder.decode(append_to(out), 1, {}, {});
  return out;
}

}  // namespace

SegmentOpener Generations::opener() const {
  return [this](const Segment& segment) {
    const auto& made = made_.at(segment.number);
    must(made.segment.size() == segment.size.value, "a segment has the size that is said of it");
    return file_of(made.segment);
  };
}

DiskReader Generations::disk() const {
  return [this](const std::string& from, std::uint64_t offset, std::span<std::byte> out) {
    must(from == target, "only a disk that is there is read");
    for (std::size_t at = 0; at < out.size(); at += page_size) {
      const auto found = disk_.find((offset + at) / page_size);
      const auto page = page_of(found == disk_.end() ? 0 : found->second);
      std::ranges::copy(bytes_of(page), out.subspan(at).begin());
    }
  };
}

/// Each generation writes something else, so what an earlier one borrowed there is not there now.
DiskPages Generations::written(std::uint64_t number, const Use& use) {
  DiskPages out({target});
  if (use.written_count == 0) return out;
  out.note_written(0, use.written_from, use.written_count);
  for (std::uint32_t i = 0; i < use.written_count; ++i) {
    const std::uint64_t page = use.written_from + i;
    const auto what = (use.written_from + i + 16 * static_cast<std::uint32_t>(number - 1)) & 0xff;
    disk_[page] = what;
    out.add(content_name(key, bytes_of(page_of(what))), {0, page});
  }
  return out;
}

void Generations::encode(std::uint64_t number, const std::string& stream, const Use& use) {
  PageBase base;
  base.key = key;
  std::optional<CellReader> reader;
  if (use.base != 0) {
    base = read_page_base(readable(made_.at(use.base).encoded.map), opener());
    reader.emplace(base.segments, opener());
    if (use.compares)
      base.content = [&](std::size_t segment, std::uint64_t cell) {
        return reader->read(segment, cell);
      };
  }
  base.disks = written(number, use);
  auto& made = made_[number];
  PageEncoderSettings settings;
  settings.number = number;
  settings.threads = 1;
  const PageSinks sinks{append_to(made.segment), append_to(made.stand_in),
                        append_to(made.borrowed)};
  made.encoded =
      encode_pages(source_of(stream, use.at_once), sinks, std::move(base), settings, {}, {});
  must(made.encoded.stream_size.value == stream.size(), "all of a stream is taken");
  must(!reader || reader->trouble().empty(), "the cells of the generation before can be had");
}

void Generations::check(std::uint64_t number, const std::string& stream) const {
  const auto& made = made_.at(number);
  const auto map = readable(made.encoded.map);
  must(decoded(PageDecoder(map, opener(), {disk(), {}})) == stream,
       "what was encoded comes back as it was");
  const auto alone = [&](const Segment& segment) {
    return file_of(segment.number == 0 ? made.stand_in : made.segment);
  };
  const auto copies = [&](const Segment&) { return file_of(made.borrowed); };
  must(decoded(PageDecoder(readable(made.encoded.stand_in_map), alone, {{}, copies})) == stream,
       "the own segment and its stand-in are enough");
  verify_page_base(map, opener(), disk(), {}, {});
}

}  // namespace satchel::fuzz
