// What an earlier generation offers to the encoder of the next.
#include <algorithm>

#include "base/fault.hpp"
#include "hibernation/alive_cells.hpp"
#include "hibernation/block_walk.hpp"
#include "hibernation/frames.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/segment_file.hpp"
#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

namespace {

constexpr std::size_t verified_at_once = 4U << 20;

/// Whether a block has a cell that is alive.
bool is_needed(const std::vector<bool>& alive, std::uint64_t block) {
  const auto first = block * cells_in_block;
  const auto last = std::min<std::uint64_t>(first + cells_in_block, alive.size());
  return std::find(alive.begin() + static_cast<std::ptrdiff_t>(first),
                   alive.begin() + static_cast<std::ptrdiff_t>(last),
                   true) != alive.begin() + static_cast<std::ptrdiff_t>(last);
}

/// Takes from the recipe what stood where, and which cells are differences, as far as that is in
/// kept segments. Gives the cells that can be looked up: those that are alive and can be had whole.
AliveCells read_recipe(const PageMap& map, const std::vector<std::size_t>& kept, AliveCells alive,
                       PageBase& out) {
  std::vector<std::uint32_t> places(map.segments.size(), 0);
  for (std::size_t i = 0; i < kept.size(); ++i) places[kept[i]] = static_cast<std::uint32_t>(i + 1);
  BlockWalk walk(map);
  while (const auto part = walk.next()) {
    const auto& step = part->step;
    const auto place = places[step.segment];
    StoredPage first{{place, step.cell}};
    if (step.kind == RecipeStep::Kind::differences) {
      const CellId whole{places[step.below_segment], step.below_cell};
      first = place == 0 ? StoredPage{whole} : StoredPage{first.cell, whole};
      for (std::uint64_t i = 0; i < step.count; ++i) {
        if (whole.segment == 0)
          alive[step.segment][step.cell + i] = false;
        else if (place != 0 && step.cell + i < map.segments[step.segment].named)
          out.below[static_cast<PageIndex::Id>(out.first[place - 1] + step.cell + i)] = {
              whole.segment, whole.cell + i};
      }
    } else if (step.kind != RecipeStep::Kind::cells) {
      continue;
    }
    if (first.whole().segment != 0 && step.framing == Framing::record)
      out.predecessors.add(step.address, first, step.count);
  }
  out.predecessors.complete();
  return alive;
}

}  // namespace

PageBase read_page_base(const PageMap& map, const SegmentOpener& open, std::size_t most) {
  auto alive = alive_cells(map);
  const auto kept = worth_keeping(map, alive, most);
  PageBase out;
  out.key = map.key;
  std::size_t names = 0;
  for (const auto i : kept) {
    out.segments.push_back(map.segments[i]);
    out.first.push_back(static_cast<PageIndex::Id>(names));
    names += map.segments[i].named;
  }
  out.index.reserve(names);
  const auto usable = read_recipe(map, kept, std::move(alive), out);
  for (const auto i : kept) {
    const auto& segment = map.segments[i];
    const auto fd = open(segment);
    read_blocks_of(fd.get(), segment);
    out.borrows.push_back(read_borrows_of(fd.get(), segment));
    std::size_t cell = 0;
    for (const auto& name : read_names_of(fd.get(), segment))
      usable[i][cell++] ? out.index.add(name) : out.index.add_hidden(name);
  }
  return out;
}

struct PageBaseCheck::State {
  struct Part {
    Segment segment;
    SegmentFile file;
    std::vector<bool> alive;
    std::vector<std::uint64_t> blocks;  ///< to be read
    SegmentFile::Window window{.size = verified_at_once};
  };
  std::vector<Part> parts;
  std::size_t part = 0;
  std::size_t block = 0;  ///< of the part's
  std::uint64_t done = 0;
  std::vector<std::byte> frame;
  BorrowedPages borrowed;
};

PageBaseCheck::PageBaseCheck(const PageMap& map, const SegmentOpener& open, DiskReader disks, Of of)
    : state_(new State{.parts = {}, .frame = {}, .borrowed{map.key, std::move(disks)}}) {
  const auto alive = alive_cells(map);
  for (const auto i : worth_keeping(map, alive)) {
    if (of == Of::own && i != 0) continue;
    const auto& segment = map.segments[i];
    State::Part part{segment, SegmentFile(open(segment), segment), alive[i], {}};
    for (std::uint64_t block = 0; block < segment.block_count(); ++block) {
      if (!is_needed(alive[i], block)) continue;
      part.file.need(block);
      part.blocks.push_back(block);
    }
    state_->parts.push_back(std::move(part));
  }
}

PageBaseCheck::PageBaseCheck(PageBaseCheck&&) noexcept = default;
PageBaseCheck::~PageBaseCheck() = default;

ByteCount PageBaseCheck::done() const { return ByteCount(state_->done); }

bool PageBaseCheck::go_on(ByteCount amount) {
  auto& [parts, at, next, done, frame, borrowed] = *state_;
  std::vector<std::byte> cells;
  for (const auto until = done + amount.value; at < parts.size() && done < until;) {
    auto& part = parts[at];
    if (next == part.blocks.size()) {
      ++at;
      next = 0;
      continue;
    }
    const auto block = part.blocks[next++];
    if (part.file.stored_in(block) > 0) {
      part.file.read_frame(block, part.window, frame);
      if (digest_of(frame) != part.file.block(block).digest)
        throw damaged("block " + std::to_string(block) + " of " + name_of(part.segment),
                      "it is not what was written");
      done += frame.size();
    }
    if (part.file.borrows().empty()) continue;
    cells.resize(part.segment.cells_of(block) * page_size);
    const LocalCopy none;
    done += borrowed.fill({part.file, part.alive, none}, block, cells).read.value;
  }
  return at < parts.size();
}

void verify_page_base(const PageMap& map, const SegmentOpener& open, DiskReader disks,
                      const ProgressSink& progress, std::stop_token stop, PageBaseCheck::Of of) {
  PageBaseCheck check(map, open, std::move(disks), of);
  while (check.go_on(ByteCount(verified_at_once))) {
    if (stop.stop_requested())
      throw Fault(Remedy::retry, {"check", "the memory before", "it was stopped", {}});
    if (progress) progress({"checking the memory before", check.done(), ByteCount(0)});
  }
}

}  // namespace satchel::hibernation
