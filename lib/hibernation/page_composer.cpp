#include "hibernation/page_composer.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/fault.hpp"
#include "hibernation/differences.hpp"

namespace satchel::hibernation {

namespace {

constexpr std::size_t block_bytes = cells_in_block * page_size;

/// A recipe that has become so long has no more references, only pages in their order.
constexpr std::size_t long_recipe = largest_recipe / 2;

BlockId block_of(CellId cell) {
  return {cell.segment, static_cast<std::uint32_t>(cell.cell / cells_in_block)};
}

}  // namespace

PageComposer::PageComposer(PageBase base, Give give, StandIn stand_in, Borrowed borrowed,
                           OwnTags own_tags)
    : base_(std::move(base)),
      first_own_(static_cast<PageIndex::Id>(base_.index.size())),
      give_(std::move(give)),
      stand_in_(stand_in),
      borrowed_(borrowed),
      borrows_(base_.disks ? base_.disks->targets() : std::vector<std::string>()),
      own_tags_(std::move(own_tags)) {
  for (const auto& segment : base_.segments) base_cells_ += segment.cells;
  hide_what_is_overwritten();
}

/// Whether the cell was borrowed, of a disk that shows something else since. `segment`: of the
/// base.
bool PageComposer::is_overwritten(std::size_t segment, std::uint64_t cell) const {
  const auto& table = base_.borrows[segment];
  const auto from = table.at(cell);
  return from &&
         !(base_.disks && base_.disks->is_unwritten(table.targets()[from->disk], from->page));
}

/// A borrowed cell lasts as long as the disk shows what it showed, and so does what was made with
/// it.
void PageComposer::hide_what_is_overwritten() {
  bool any = false;
  for (std::size_t i = 0; i < base_.borrows.size(); ++i)
    for (const auto& run : base_.borrows[i].runs())
      for (auto cell = run.cell; cell < run.cell + run.count; ++cell) {
        if (!is_overwritten(i, cell)) continue;
        any = true;
        base_.index.hide(base_.first[i] + static_cast<PageIndex::Id>(cell));
      }
  if (!any) return;
  for (const auto& [id, below] : base_.below)
    if (is_overwritten(below.segment - 1, below.cell)) base_.index.hide(id);
}

void PageComposer::take(const Piece& piece, std::span<const std::byte> bytes,
                        const PageSight& sight) {
  limit_.made(piece.size);
  const auto framing = piece.kind == Piece::Kind::record ? Framing::record : Framing::bare;
  if (piece.kind == Piece::Kind::text) {
    recipe_.text(bytes);
    stand_in_recipe_.text(bytes);
  } else if (piece.kind == Piece::Kind::fill) {
    recipe_.fill(piece.address, piece.size / fill_size);
    stand_in_recipe_.fill(piece.address, piece.size / fill_size);
  } else if (!sight.stored && !sight.name) {
    recipe_.zeros(framing, piece.address);
    stand_in_recipe_.zeros(framing, piece.address);
  } else if (sight.stored && may_refer(*sight.stored)) {
    ++told_by_tag_;
    refer({framing, piece.address}, *sight.stored, bytes);
  } else {
    // What can't be referred to where it is may be elsewhere as well.
    const auto name = sight.name ? *sight.name : content_name(base_.key, bytes);
    if (const auto found = known(name))
      refer({framing, piece.address}, *found, bytes);
    else
      store({framing, piece.address}, bytes, name, sight.tag);
  }
}

/// Whether a page that is stored as it was may be referred to: what goes for names goes for tags.
bool PageComposer::may_refer(const StoredPage& before) const {
  return recipe_.size() <= long_recipe && !is_hidden(before.cell) && !is_hidden(before.whole()) &&
         is_near(before);
}

/// Whether a cell of the base could not be found by its name.
bool PageComposer::is_hidden(CellId cell) const {
  const auto at = cell.segment - 1;
  return cell.cell >= base_.segments[at].named ||
         base_.index.is_hidden(base_.first[at] + static_cast<PageIndex::Id>(cell.cell));
}

/// Where a page of this name is, unless it is so far away that reading it would cost more than
/// storing it again.
std::optional<StoredPage> PageComposer::known(const ContentName& name) const {
  const auto id = base_.index.find(name);
  if (!id || recipe_.size() > long_recipe) return std::nullopt;
  StoredPage found{{0, *id - first_own_}};
  if (*id < first_own_) {
    const auto next = std::ranges::upper_bound(base_.first, *id);
    found.cell.segment = static_cast<std::uint32_t>(next - base_.first.begin());
    found.cell.cell = *id - base_.first[found.cell.segment - 1];
  }
  if (const auto below = base_.below.find(*id); below != base_.below.end())
    found.below = below->second;
  if (!is_near(found)) return std::nullopt;
  return found;
}

/// What stood at the address before, when the page is much like it.
std::optional<PageComposer::Below> PageComposer::predecessor(
    Place place, std::span<const std::byte> page) const {
  if (!base_.content || place.framing != Framing::record || recipe_.size() > long_recipe)
    return std::nullopt;
  const auto stored = base_.predecessors.at(place.address);
  if (!stored || !is_near(stored->whole())) return std::nullopt;
  const auto cell = stored->whole();
  const auto before = base_.content(cell.segment - 1, cell.cell);
  if (!before || !is_close(page, *before)) return std::nullopt;
  return Below{cell, *before};
}

bool PageComposer::is_near(CellId cell) const {
  return limit_.allows() || shelf_.holds(block_of(cell));
}

bool PageComposer::is_near(const StoredPage& page) const {
  return is_near(page.cell) && (!page.below || is_near(*page.below));
}

void PageComposer::touch(CellId cell) {
  if (shelf_.touch(block_of(cell)).missed) limit_.load();
}

CellId PageComposer::in_recipe(CellId cell) {
  if (cell.segment == 0) return cell;
  auto at = std::ranges::find(used_, cell.segment);
  if (at == used_.end()) at = used_.insert(used_.end(), cell.segment);
  return {static_cast<std::uint32_t>(at - used_.begin()) + 1, cell.cell};
}

void PageComposer::append(FullBlock& block, std::span<const std::byte> page) {
  if (block.cells.empty()) block.cells.reserve(block_bytes);
  block.cells.insert(block.cells.end(), page.begin(), page.end());
  count(block);
}

void PageComposer::count(FullBlock& block) {
  if (++block.count == cells_in_block) give_(std::exchange(block, FullBlock{block.of}));
}

CellId PageComposer::append_to_stand_in(std::span<const std::byte> page) {
  append(stand_in_block_, page);
  return {1, stand_in_cells_++};
}

void PageComposer::refer(Place place, const StoredPage& found, std::span<const std::byte> page) {
  if (found.below) {
    touch(*found.below);
    touch(found.cell);
    const auto below = in_recipe(*found.below);
    recipe_.known_difference(place.framing, place.address, in_recipe(found.cell), below);
  } else {
    touch(found.cell);
    recipe_.known(place.framing, place.address, in_recipe(found.cell));
  }
  if (found.cell.segment == 0 && !found.below) {
    stand_in_recipe_.known(place.framing, place.address, found.cell);
    return;
  }
  if (found.cell.segment != 0) ++known_cells_;
  if (stand_in_ == StandIn::unwanted) return;
  stand_in_recipe_.known(place.framing, place.address, append_to_stand_in(page));
}

void PageComposer::store(Place place, std::span<const std::byte> page, const ContentName& name,
                         const std::optional<ContentTag>& tag) {
  if (base_cells_ + cells_ == most_cells)
    throw Fault(Remedy::later_version,
                {"store", "the machine's memory", "it has more pages than a map can name", {}});
  // Cells are named in order and without gaps, or their ids would not tell where they are. A
  // difference that could not be found by its name would still be right.
  const auto id = static_cast<PageIndex::Id>(base_.index.size());
  const bool named = !base_.index.is_full();
  if (named) base_.index.add(name);
  const auto from = named && base_.disks ? base_.disks->find(name) : std::nullopt;
  if (from) {
    own_tags_.add(tag.value_or(ContentTag{}));
    borrow(place, page, *from);
  } else if (const auto below = predecessor(place, page)) {
    if (named) base_.below.emplace(id, below->cell);
    store_difference(place, page, *below);
  } else {
    own_tags_.add(tag.value_or(ContentTag{}));
    touch({0, cells_});
    recipe_.fresh(place.framing, place.address);
    stand_in_recipe_.fresh(place.framing, place.address);
    append(block_, page);
  }
  ++cells_;
}

void PageComposer::borrow(Place place, std::span<const std::byte> page, DiskPage from) {
  touch({0, cells_});
  recipe_.fresh(place.framing, place.address);
  stand_in_recipe_.fresh(place.framing, place.address);
  borrows_.add(cells_, from);
  if (borrowed_ == Borrowed::wanted)
    block_.borrowed.insert(block_.borrowed.end(), page.begin(), page.end());
  count(block_);
}

void PageComposer::store_difference(Place place, std::span<const std::byte> page,
                                    const Below& below) {
  touch(below.cell);
  touch({0, cells_});
  recipe_.fresh_difference(place.framing, place.address, in_recipe(below.cell));
  if (stand_in_ == StandIn::wanted)
    stand_in_recipe_.fresh_difference(place.framing, place.address, append_to_stand_in(below.page));
  std::array<std::byte, page_size> difference;
  combine(page, below.page, difference);
  if (own_tags_.are_wanted()) own_tags_.add(base_.tags->of(difference));
  append(block_, difference);
  ++differences_;
}

void PageComposer::finish() {
  for (auto* block : {&block_, &stand_in_block_})
    if (block->count > 0) give_(std::move(*block));
}

std::vector<Segment> PageComposer::used_segments() const {
  std::vector<Segment> out;
  for (const auto each : used_) out.push_back(base_.segments[each - 1]);
  return out;
}

}  // namespace satchel::hibernation
