#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "base/fault.hpp"
#include "hibernation/block_walk.hpp"
#include "hibernation/differences.hpp"
#include "hibernation/frames.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/pipeline.hpp"
#include "hibernation/segment_file.hpp"
#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

struct PageDecoder::State {
  PageMap map;
  std::vector<SegmentFile> files;  ///< as the map's segments
  std::vector<LocalCopy> copies;   ///< the same
};

namespace {

/// Read at once of all segments together.
constexpr std::size_t windows_size = 32U << 20;
constexpr std::size_t largest_window = 4U << 20;
constexpr std::size_t output_size = 1U << 20;

struct LoadedBlock {
  BlockId id;
  std::vector<std::byte> packed;
  bool is_copy = false;  ///< packed is from this computer's copy
  std::vector<std::byte> cells;
};

/// Reads the frames in the order in which the recipe needs them.
class Loader {
 public:
  Loader(const PageMap& map, const std::vector<SegmentFile>& files,
         const std::vector<LocalCopy>& copies)
      : walk_(map), files_(files), copies_(copies), windows_(files.size()) {
    for (auto& each : windows_) each.size = std::min(largest_window, windows_size / files.size());
  }

  bool fill(LoadedBlock& block) {
    while (!next_) {
      const auto part = walk_.next();
      if (!part) return false;
      if (part->cells.place.missed) next_ = part->cells.block;
      if (part->below.place.missed) {
        read(part->below.block, block);
        return true;
      }
    }
    read(*std::exchange(next_, std::nullopt), block);
    return true;
  }

  ByteCount bytes_read() const {
    ByteCount sum;
    for (const auto& each : windows_) sum = sum + ByteCount(each.read);
    return sum;
  }

 private:
  void read(BlockId id, LoadedBlock& block) {
    block.id = id;
    const auto& file = files_[id.segment];
    block.packed.resize(file.block(id.block).packed_size);
    block.is_copy = copies_[id.segment].read(file.offset(id.block), block.packed);
    if (!block.is_copy) file.read_frame(id.block, windows_[id.segment], block.packed);
  }

  BlockWalk walk_;
  const std::vector<SegmentFile>& files_;
  const std::vector<LocalCopy>& copies_;
  std::vector<SegmentFile::Window> windows_;
  std::optional<BlockId> next_;  ///< of a part that needs two
};

/// Puts the stream together. Given the blocks in the order in which the recipe needs them.
class Assembler {
 public:
  Assembler(const PageMap& map, const Sink& out) : walk_(map), out_(out) {
    buffer_.reserve(output_size + record_size);
  }

  /// As far as it goes without another block.
  void go_on() {
    while (const auto part = walk_.next()) {
      if (part->missed() > 0) {
        waiting_ = part;
        return;
      }
      write(*part);
    }
    flush();
  }

  void take(LoadedBlock& block) {
    // What stands below is needed first.
    auto* needed = !waiting_                      ? nullptr
                   : waiting_->below.place.missed ? &waiting_->below
                                                  : &waiting_->cells;
    if (needed == nullptr || needed->block != block.id)
      throw Fault(Remedy::report_bug,
                  {"restore", "the machine's memory", "blocks are mixed up", {}});
    shelf_[needed->place.slot].swap(block.cells);
    needed->place.missed = false;
    if (waiting_->missed() > 0) return;
    write(*std::exchange(waiting_, std::nullopt));
    go_on();
  }

  std::uint64_t made() const { return made_; }
  bool is_waiting() const { return waiting_.has_value(); }

 private:
  void write(const BlockWalk::Part& part) {
    const auto& step = part.step;
    switch (step.kind) {
      case RecipeStep::Kind::text:
        return put(std::as_bytes(std::span(step.text)));
      case RecipeStep::Kind::fill:
        for (std::uint64_t i = 0; i < step.count; ++i) {
          put_header(fill_header(step.address + i));
          put(std::span(zeros).first(1));
        }
        return;
      case RecipeStep::Kind::zeros:
        for (std::uint64_t i = 0; i < step.count; ++i) write_page(step, i, zeros);
        return;
      case RecipeStep::Kind::cells:
        for (std::uint64_t i = 0; i < step.count; ++i) write_page(step, i, cell(part.cells, i));
        return;
      case RecipeStep::Kind::differences:
        for (std::uint64_t i = 0; i < step.count; ++i) {
          combine(cell(part.cells, i), cell(part.below, i), combined_);
          write_page(step, i, combined_);
        }
    }
  }

  std::span<const std::byte> cell(const BlockWalk::Part::Cells& cells, std::uint64_t i) const {
    return std::span(shelf_[cells.place.slot]).subspan((cells.first + i) * page_size, page_size);
  }

  void write_page(const RecipeStep& step, std::uint64_t i, std::span<const std::byte> page) {
    if (step.framing == Framing::record) put_header(record_header(step.address + i));
    put(page);
  }

  void put_header(std::uint64_t header) {
    std::array<std::byte, header_size> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(header >> (8 * (bytes.size() - 1 - i)));
    put(bytes);
  }

  void put(std::span<const std::byte> bytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    if (buffer_.size() >= output_size) flush();
  }

  void flush() {
    if (buffer_.empty()) return;
    out_(buffer_);
    made_ += buffer_.size();
    buffer_.clear();
  }

  static constexpr std::array<std::byte, page_size> zeros{};

  BlockWalk walk_;
  const Sink& out_;
  std::array<std::vector<std::byte>, BlockShelf::slots> shelf_;
  std::optional<BlockWalk::Part> waiting_;
  std::vector<std::byte> buffer_;
  std::array<std::byte, page_size> combined_{};
  std::uint64_t made_ = 0;
};

/// None where it can't be made: a copy is never worth an error.
LocalCopy copy_of(const Segment& segment, const LocalUse& local) {
  try {
    auto fd = local.grows == LocalCopy::Grows::yes ? local.segments.open_or_make(segment)
                                                   : local.segments.open(segment);
    return {std::move(fd), local.grows};
  } catch (const Fault&) {
    return {};
  }
}

}  // namespace

PageDecoder::PageDecoder(PageMap map, const SegmentOpener& open,
                         const std::optional<LocalUse>& local)
    : state_(std::make_unique<State>()) {
  state_->map = std::move(map);
  for (const auto& segment : state_->map.segments) {
    state_->files.emplace_back(open(segment), segment);
    state_->copies.push_back(local ? copy_of(segment, *local) : LocalCopy());
  }
  BlockWalk walk(state_->map);
  while (const auto part = walk.next()) {
    for (const auto& each : {part->below, part->cells}) {
      auto& file = state_->files[each.block.segment];
      if (each.place.missed &&
          !state_->copies[each.block.segment].has(file.offset(each.block.block)))
        file.need(each.block.block);
    }
  }
  for (std::size_t i = 0; i < state_->copies.size(); ++i)
    state_->files[i].keep_table(state_->copies[i]);
}

PageDecoder::PageDecoder(PageDecoder&&) noexcept = default;
PageDecoder& PageDecoder::operator=(PageDecoder&&) noexcept = default;
PageDecoder::~PageDecoder() = default;

ByteCount PageDecoder::stream_size() const { return state_->map.stream_size; }

Decoded PageDecoder::decode(const Sink& out, unsigned threads, const ProgressSink& progress,
                            std::stop_token stop) const {
  const auto& [map, files, copies] = *state_;
  Loader loader(map, files, copies);
  Assembler assembler(map, out);
  Decoded decoded;
  std::atomic<std::uint64_t> read_again = 0;
  const auto unpack = [&](LoadedBlock& block) {
    const auto& segment = map.segments[block.id.segment];
    const auto& file = files[block.id.segment];
    const auto& entry = file.block(block.id.block);
    const auto name = "block " + std::to_string(block.id.block) + " of " + name_of(segment);
    block.cells.resize(segment.cells_of(block.id.block) * page_size);
    if (block.is_copy) {
      if (digest_of(block.packed) == entry.digest)
        return unpack_authentic(block.packed, block.cells, name);
      // Whatever became of the copy: the device has it.
      SegmentFile::Window alone;
      file.read_frame(block.id.block, alone, block.packed);
      read_again += block.packed.size();
      block.is_copy = false;
    }
    unpack_frame(block.packed, entry.digest, block.cells, name);
    copies[block.id.segment].write(file.offset(block.id.block), block.packed);
  };
  const auto take = [&](LoadedBlock& block) {
    if (block.is_copy) decoded.at_hand = decoded.at_hand + ByteCount(block.packed.size());
    assembler.take(block);
    if (progress) progress({"reading memory", ByteCount(assembler.made()), map.stream_size});
  };
  assembler.go_on();
  Pipeline<LoadedBlock> pipeline(
      threads == 0 ? 1 : threads,
      {[&](LoadedBlock& block, const std::stop_token&) { return loader.fill(block); }, unpack,
       take});
  pipeline.run(std::move(stop));
  if (assembler.is_waiting() || assembler.made() != map.stream_size.value)
    throw damaged("the machine's memory", "its map does not fit it");
  decoded.read = loader.bytes_read() + ByteCount(read_again);
  decoded.is_copied = std::ranges::all_of(copies, &LocalCopy::grows);
  return decoded;
}

}  // namespace satchel::hibernation
