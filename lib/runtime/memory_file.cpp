#include "runtime/memory_file.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/fault.hpp"
#include "hibernation/cell_reader.hpp"
#include "runtime/lent_disks.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

using Access = format::CapsuleDirectory::Access;

constexpr ByteCount largest_map = mebibytes(64);

Fault unusable(const std::string& object, std::string why) {
  return Fault(Remedy::other_device,
               Fault::Text{"read the hibernation file", object, std::move(why), {}});
}

/// Pages are compared with what this computer has a copy of, and never with what would have to be
/// read of the device.
void compare_with(const hibernation::LocalSegments& local, hibernation::PageBase& base) {
  const auto copy = [local](const hibernation::Segment& segment) {
    auto fd = local.open(segment);
    if (!fd) throw unusable(local.path_of(segment), "this computer has no copy of it");
    return fd;
  };
  const auto reader = std::make_shared<hibernation::CellReader>(base.segments, copy);
  base.content = [reader](std::size_t segment, std::uint64_t cell) {
    return reader->read(segment, cell);
  };
}

}  // namespace

bool borrows(const format::Head& head) {
  return head.hibernation && head.hibernation->codec == hibernation::borrowing_codec;
}

bool has_pages(const format::Head& head) {
  return head.hibernation && head.hibernation->segments &&
         (head.hibernation->codec == hibernation::borrowing_codec ||
          head.hibernation->codec == hibernation::page_codec ||
          head.hibernation->codec == hibernation::first_page_codec);
}

hibernation::PageMap memory_map(const format::CapsuleDirectory& capsule, const format::Head& head) {
  const auto& saved = *head.hibernation;
  auto map = hibernation::read_page_map(capsule.read_object(*head.find(saved.map), largest_map));
  if (!map) throw unusable(saved.map, to_string(map.error()));
  if (pages_object(map->segments.front().number) != saved.pages)
    throw unusable(saved.map, "it is the map of another generation");
  if (map->borrows() && !borrows(head))
    throw unusable(saved.map, "it borrows of the disks, which is not what the head says");
  return std::move(*map);
}

hibernation::SegmentOpener segment_opener(const format::CapsuleDirectory& capsule,
                                          const format::Head& head) {
  // Opens what the map calls a segment, when the head names it as one and both agree on it.
  return [&capsule, &head](const hibernation::Segment& segment) {
    const auto path = pages_object(segment.number);
    const auto& saved = *head.hibernation;
    const auto* object = head.find(path);
    if (path != saved.pages && !std::ranges::count(*saved.segments, path)) object = nullptr;
    if (object == nullptr || object->size != segment.size)
      throw unusable(path, "the map refers to it, but the head does not name it as such");
    return capsule.open_checked(*object, Access::read);
  };
}

std::string pages_object(std::uint64_t number) {
  return "memory/" + std::to_string(number) + ".pages";
}

std::vector<std::string> earlier_segments(const hibernation::EncodedPages& encoded) {
  std::vector<std::string> out;
  for (std::size_t i = 1; i < encoded.segments.size(); ++i)
    out.push_back(pages_object(encoded.segments[i].number));
  std::ranges::sort(out);
  return out;
}

struct MemoryFile::State {
  std::stop_source stopping;
  std::optional<hibernation::PageDecoder> pages;
  // The first codec's:
  std::optional<hibernation::Decoder> blocks;
  UniqueFd blocks_file;
  ByteCount stream_size;
  ByteCount map_size;
};

MemoryFile::MemoryFile(const format::CapsuleDirectory& capsule, const format::Head& head,
                       const std::filesystem::path& directory, const MemoryCache* cache)
    : state_(std::make_unique<State>()) {
  const auto& saved = *head.hibernation;
  const auto& map_object = *head.find(saved.map);
  state_->map_size = map_object.size;
  if (has_pages(head)) {
    auto map = memory_map(capsule, head);
    auto local = cache ? cache->use(head.capsule, map.segments) : std::nullopt;
    auto disks = lent_disks(capsule, head, map, directory, state_->stopping.get_token());
    state_->pages.emplace(std::move(map), segment_opener(capsule, head),
                          hibernation::Lenders{std::move(disks), {}}, local);
    state_->stream_size = state_->pages->stream_size();
    return;
  }
  if (saved.codec != "zstd-blocks-1")
    throw Fault(Remedy::later_version, Fault::Text{"read the hibernation file",
                                                   saved.pages,
                                                   "it was written with \"" + saved.codec + "\"",
                                                   {}});
  auto decoder = hibernation::Decoder::parse(capsule.read_object(map_object, largest_map));
  if (!decoder) throw unusable(saved.map, to_string(decoder.error()));
  state_->blocks.emplace(std::move(*decoder));
  state_->stream_size = state_->blocks->stream_size();
  state_->blocks_file = capsule.open_checked(*head.find(saved.pages), Access::read);
}

MemoryFile::MemoryFile(MemoryFile&&) noexcept = default;
MemoryFile& MemoryFile::operator=(MemoryFile&&) noexcept = default;
MemoryFile::~MemoryFile() = default;

ByteCount MemoryFile::stream_size() const { return state_->stream_size; }

hibernation::Decoded MemoryFile::decode(const hibernation::Sink& out, unsigned threads,
                                        const ProgressSink& progress, std::stop_token stop,
                                        hibernation::CellTags* tags) const {
  hibernation::Decoded decoded;
  const std::stop_callback on_stop(stop, [this] { state_->stopping.request_stop(); });
  if (state_->pages) {
    // Whoever reads the disks ends here, and not on a thread that must not wait for that.
    const auto pages = std::exchange(state_->pages, std::nullopt);
    decoded = pages->decode(out, threads, progress, std::move(stop), tags);
  } else {
    state_->blocks->decode(state_->blocks_file.get(), out, threads, progress, std::move(stop));
    decoded.read = state_->blocks->pages_size();
  }
  decoded.read = decoded.read + state_->map_size;
  return decoded;
}

hibernation::PageBaseCheck memory_check(const format::CapsuleDirectory& capsule,
                                        const format::Head& head,
                                        const std::filesystem::path& directory,
                                        hibernation::PageBaseCheck::Of of, std::stop_token stop) {
  const auto map = memory_map(capsule, head);
  return {map, segment_opener(capsule, head),
          lent_disks(capsule, head, map, directory, std::move(stop)), of};
}

hibernation::PageBase checked_base(const Parts& parts, Stick& stick,
                                   const format::CapsuleDirectory& capsule,
                                   const format::Head& head, std::size_t most,
                                   const ProgressSink& progress, std::stop_token stop) {
  const auto map = memory_map(capsule, head);
  const auto open = segment_opener(capsule, head);
  const auto& name = head.find(head.hibernation->map)->digest;
  if (!stick.has_seen_memory(name)) {
    using Of = hibernation::PageBaseCheck::Of;
    auto disks = lent_disks(capsule, head, map, fifo_directory(parts, head.capsule), stop);
    hibernation::verify_page_base(map, open, std::move(disks), progress, stop,
                                  stick.has_seen_base(name) ? Of::own : Of::all_segments);
    stick.note_memory_seen(name);
  }
  auto base = hibernation::read_page_base(map, open, most);
  if (const auto local = parts.cache->of(head.capsule)) compare_with(*local, base);
  return base;
}

hibernation::PageBase memory_base(const Parts& parts, Stick& stick,
                                  const format::CapsuleDirectory& capsule, const format::Head& head,
                                  const ProgressSink& progress, std::stop_token stop) {
  if (!has_pages(head)) return {};
  if (stick.distrusts_memory(head.capsule)) {
    parts.log.info(head.name + ": its memory on the device is damaged; all of it is stored anew");
    return {};
  }
  try {
    return checked_base(parts, stick, capsule, head, hibernation::most_referred, progress, stop);
  } catch (const Fault& fault) {
    // A sector that can't be read any more must not keep a machine from ever being ejected.
    if (!stick.is_open() || stop.stop_requested()) throw;
    parts.log.warning(std::string(fault.what()) + "; all of the memory is stored anew");
    return {};
  }
}

}  // namespace satchel
