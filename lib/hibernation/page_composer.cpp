#include "hibernation/page_composer.hpp"

#include <algorithm>
#include <utility>

#include "base/fault.hpp"

namespace satchel::hibernation {

namespace {

constexpr std::size_t block_bytes = cells_in_block * page_size;

/// A recipe that has become so long has no more references, only pages in their order.
constexpr std::size_t long_recipe = largest_recipe / 2;

BlockId block_of(std::uint32_t segment, std::uint64_t cell) {
  return {segment, static_cast<std::uint32_t>(cell / cells_in_block)};
}

}  // namespace

PageComposer::PageComposer(PageBase base, Give give, StandIn stand_in)
    : base_(std::move(base)),
      first_own_(static_cast<PageIndex::Id>(base_.index.size())),
      give_(std::move(give)),
      stand_in_(stand_in) {
  for (const auto& segment : base_.segments) base_cells_ += segment.cells;
}

void PageComposer::take(const Piece& piece, std::span<const std::byte> bytes,
                        const std::optional<ContentName>& name) {
  limit_.made(piece.size);
  const auto framing = piece.kind == Piece::Kind::record ? Framing::record : Framing::bare;
  if (piece.kind == Piece::Kind::text) {
    recipe_.text(bytes);
    stand_in_recipe_.text(bytes);
  } else if (piece.kind == Piece::Kind::fill) {
    recipe_.fill(piece.address, piece.size / fill_size);
    stand_in_recipe_.fill(piece.address, piece.size / fill_size);
  } else if (!name) {
    recipe_.zeros(framing, piece.address);
    stand_in_recipe_.zeros(framing, piece.address);
  } else if (const auto cell = known(*name)) {
    refer(framing, piece.address, *cell, bytes);
  } else {
    store(framing, piece.address, bytes, *name);
  }
}

/// Where a page of this name is, unless it is so far away that reading it would cost more than
/// storing it again.
std::optional<PageComposer::Cell> PageComposer::known(const ContentName& name) const {
  const auto id = base_.index.find(name);
  if (!id) return std::nullopt;
  Cell cell{0, *id - first_own_};
  if (*id < first_own_) {
    const auto next = std::ranges::upper_bound(base_.first, *id);
    cell.segment = static_cast<std::uint32_t>(next - base_.first.begin());
    cell.cell = *id - base_.first[cell.segment - 1];
  }
  if (!is_near(cell) || recipe_.size() > long_recipe) return std::nullopt;
  return cell;
}

bool PageComposer::is_near(const Cell& cell) const {
  return limit_.allows() || shelf_.holds(block_of(cell.segment, cell.cell));
}

void PageComposer::touch(const Cell& cell) {
  if (shelf_.touch(block_of(cell.segment, cell.cell)).missed) limit_.load();
}

std::uint32_t PageComposer::number_in_recipe(std::uint32_t segment) {
  if (segment == 0) return 0;
  auto at = std::ranges::find(used_, segment);
  if (at == used_.end()) at = used_.insert(used_.end(), segment);
  return static_cast<std::uint32_t>(at - used_.begin()) + 1;
}

void PageComposer::append(FullBlock& block, std::span<const std::byte> page) {
  if (block.cells.empty()) block.cells.reserve(block_bytes);
  block.cells.insert(block.cells.end(), page.begin(), page.end());
  if (block.cells.size() < block_bytes) return;
  give_(std::exchange(block, FullBlock{block.of, {}}));
}

void PageComposer::refer(Framing framing, std::uint64_t address, const Cell& cell,
                         std::span<const std::byte> page) {
  touch(cell);
  recipe_.known(framing, address, number_in_recipe(cell.segment), cell.cell);
  if (cell.segment == 0) {
    stand_in_recipe_.known(framing, address, 0, cell.cell);
    return;
  }
  ++known_cells_;
  if (stand_in_ == StandIn::unwanted) return;
  stand_in_recipe_.known(framing, address, 1, stand_in_cells_++);
  append(stand_in_block_, page);
}

void PageComposer::store(Framing framing, std::uint64_t address, std::span<const std::byte> page,
                         const ContentName& name) {
  if (base_cells_ + cells_ == most_cells)
    throw Fault(Remedy::later_version,
                {"store", "the machine's memory", "it has more pages than a map can name", {}});
  touch({0, cells_});
  recipe_.fresh(framing, address);
  stand_in_recipe_.fresh(framing, address);
  // Cells are named in order and without gaps, or their ids would not tell where they are.
  if (!base_.index.is_full()) base_.index.add(name);
  ++cells_;
  append(block_, page);
}

void PageComposer::finish() {
  for (auto* block : {&block_, &stand_in_block_})
    if (!block->cells.empty()) give_(std::move(*block));
}

std::vector<Segment> PageComposer::used_segments() const {
  std::vector<Segment> out;
  for (const auto each : used_) out.push_back(base_.segments[each - 1]);
  return out;
}

}  // namespace satchel::hibernation
