#include <algorithm>
#include <atomic>
#include <utility>

#include "base/fault.hpp"
#include "hibernation/alive_cells.hpp"
#include "hibernation/block_walk.hpp"
#include "hibernation/cell_tags.hpp"
#include "hibernation/frames.hpp"
#include "hibernation/page_assembler.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/pipeline.hpp"
#include "hibernation/segment_file.hpp"
#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

struct PageDecoder::State {
  BorrowedPages borrowed;
  PageMap map{};
  std::vector<SegmentFile> files{};  ///< as the map's segments
  std::vector<LocalCopy> copies{};   ///< the same
  std::vector<LocalCopy> borrowed_copies{};
  std::vector<std::vector<bool>> wanted{};  ///< of each segment, the cells that the recipe names
  std::vector<std::vector<LentCell>> lent{};

  bool is_copied() const;
};

/// Whether all that is needed of the device is in the copies.
bool PageDecoder::State::is_copied() const {
  for (std::size_t i = 0; i < copies.size(); ++i)
    if (!copies[i].grows() || (!files[i].borrows().empty() && !borrowed_copies[i].grows()))
      return false;
  return true;
}

namespace {

/// Read at once of all segments together.
constexpr std::size_t windows_size = 32U << 20;
constexpr std::size_t largest_window = 4U << 20;

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
    if (block.packed.empty()) return;
    block.is_copy = copies_[id.segment].read(file.offset(id.block), block.packed);
    if (!block.is_copy) file.read_frame(id.block, windows_[id.segment], block.packed);
  }

  BlockWalk walk_;
  const std::vector<SegmentFile>& files_;
  const std::vector<LocalCopy>& copies_;
  std::vector<SegmentFile::Window> windows_;
  std::optional<BlockId> next_;  ///< of a part that needs two
};

/// Makes the tags of the cells that the next generation may refer to.
class Tagging {
 public:
  /// `tags`: none are made without.
  Tagging(const PageMap& map, CellTags* tags) : map_(map), tags_(tags), made_(map.segments.size()) {
    if (tags == nullptr) return;
    for (const auto segment : worth_keeping(map, alive_cells(map))) made_[segment] = tags->begin();
  }

  /// Of a block, all of whose `wanted` cells are there and right. Any thread.
  void add(const LoadedBlock& block, const std::vector<bool>& wanted) const {
    const auto& made = made_[block.id.segment];
    if (!made) return;
    SegmentTags::Block tags{};
    const auto first = block.id.block * cells_in_block;
    for (std::size_t i = 0; i * page_size < block.cells.size(); ++i)
      if (wanted[first + i])
        tags[i] = tags_->of(std::span(block.cells).subspan(i * page_size, page_size));
    made->write(block.id.block, tags);
  }

  /// When all was right.
  void finish() {
    for (std::size_t i = 0; i < made_.size(); ++i)
      if (made_[i]) tags_->keep(map_.segments[i], std::move(made_[i]));
  }

 private:
  const PageMap& map_;
  CellTags* tags_;
  std::vector<std::shared_ptr<SegmentTags>> made_;  ///< by segment
};

/// None where it can't be made: a copy is never worth an error.
template <class Open>
LocalCopy copy_of(Open open, LocalCopy::Grows grows) {
  try {
    return {open(), grows};
  } catch (const Fault&) {
    return {};
  }
}

}  // namespace

PageDecoder::PageDecoder(PageMap map, const SegmentOpener& open, Lenders lenders,
                         const std::optional<LocalUse>& local)
    : state_(new State{{map.key, std::move(lenders.disks)}}) {
  state_->map = std::move(map);
  const bool may_make = local && local->grows == LocalCopy::Grows::yes;
  const auto copy = [&](const Segment& segment) {
    if (!local) return LocalCopy();
    const auto& copies = local->segments;
    return copy_of([&] { return may_make ? copies.open_or_make(segment) : copies.open(segment); },
                   local->grows);
  };
  const auto borrowed_copy = [&](const Segment& segment) {
    if (segment.borrowed == 0) return LocalCopy();
    if (lenders.copies) return LocalCopy(lenders.copies(segment), LocalCopy::Grows::no);
    if (!local) return LocalCopy();
    const auto& copies = local->segments;
    return copy_of(
        [&] {
          return may_make ? copies.open_or_make_borrowed(segment) : copies.open_borrowed(segment);
        },
        local->grows);
  };
  for (const auto& segment : state_->map.segments) {
    state_->files.emplace_back(open(segment), segment);
    state_->wanted.emplace_back(segment.cells, false);
    state_->copies.push_back(copy(segment));
    state_->borrowed_copies.push_back(borrowed_copy(segment));
  }
  const auto want = [&](const BlockWalk::Part::Cells& cells, std::uint64_t count) {
    auto& file = state_->files[cells.block.segment];
    if (cells.place.missed &&
        !state_->copies[cells.block.segment].has(file.offset(cells.block.block)))
      file.need(cells.block.block);
    const auto first = cells.block.block * cells_in_block + cells.first;
    std::fill_n(state_->wanted[cells.block.segment].begin() + static_cast<std::ptrdiff_t>(first),
                count, true);
  };
  BlockWalk walk(state_->map);
  while (const auto part = walk.next()) {
    if (is_of_cells(part->step)) want(part->cells, part->step.count);
    if (part->step.kind == RecipeStep::Kind::differences) want(part->below, part->step.count);
  }
  for (std::size_t i = 0; i < state_->copies.size(); ++i) {
    state_->lent.push_back(lent_cells(state_->files[i], state_->wanted[i]));
    state_->files[i].keep_tables(state_->copies[i]);
  }
}

PageDecoder::PageDecoder(PageDecoder&&) noexcept = default;
PageDecoder& PageDecoder::operator=(PageDecoder&&) noexcept = default;
PageDecoder::~PageDecoder() = default;

ByteCount PageDecoder::stream_size() const { return state_->map.stream_size; }

Decoded PageDecoder::decode(const Sink& out, unsigned threads, const ProgressSink& progress,
                            std::stop_token stop, CellTags* tags) const {
  const auto& [borrowed, map, files, copies, borrowed_copies, wanted, lent] = *state_;
  Loader loader(map, files, copies);
  Assembler assembler(map, out);
  Tagging tagging(map, tags);
  Decoded decoded;
  std::atomic<std::uint64_t> read_besides = 0;  // of disks, and for copies that were damaged
  std::atomic<std::uint64_t> at_hand = 0;
  std::atomic<std::uint64_t> ahead = 0;  // which is at hand later
  const auto unpack_stored = [&](LoadedBlock& block, std::span<std::byte> cells) {
    const auto& file = files[block.id.segment];
    const auto& entry = file.block(block.id.block);
    const auto name = "block " + std::to_string(block.id.block) + " of " +
                      name_of(map.segments[block.id.segment]);
    if (block.is_copy) {
      if (digest_of(block.packed) == entry.digest)
        return unpack_authentic(block.packed, cells, name);
      // Whatever became of the copy: the device has it.
      SegmentFile::Window alone;
      file.read_frame(block.id.block, alone, block.packed);
      read_besides += block.packed.size();
      block.is_copy = false;
    }
    unpack_frame(block.packed, entry.digest, cells, name);
    copies[block.id.segment].write(file.offset(block.id.block), block.packed);
  };
  const auto fill = [&](LoadedBlock& block) {
    const auto& file = files[block.id.segment];
    block.cells.resize(map.segments[block.id.segment].cells_of(block.id.block) * page_size);
    const auto stored = file.stored_in(block.id.block);
    if (stored > 0) unpack_stored(block, std::span(block.cells).first(stored * page_size));
    if (file.borrows().empty()) return;
    file.spread(block.id.block, block.cells);
    const auto cost = borrowed.fill(
        {file, wanted[block.id.segment], borrowed_copies[block.id.segment], lent[block.id.segment]},
        block.id.block, block.cells);
    read_besides += cost.read.value;
    at_hand += cost.at_hand.value;
    ahead += cost.ahead.value;
  };
  const auto unpack = [&](LoadedBlock& block) {
    fill(block);
    tagging.add(block, wanted[block.id.segment]);
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
  tagging.finish();
  decoded.read = loader.bytes_read() + ByteCount(read_besides);
  decoded.at_hand = decoded.at_hand + ByteCount(at_hand - std::min(at_hand.load(), ahead.load()));
  decoded.is_copied = state_->is_copied();
  return decoded;
}

}  // namespace satchel::hibernation
