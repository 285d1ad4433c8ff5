#include "hibernation/page_teller.hpp"

#include <algorithm>
#include <cstring>

namespace satchel::hibernation {

namespace {

bool is_zero(std::span<const std::byte> page) {
  return page[0] == std::byte{} && std::memcmp(page.data(), page.data() + 1, page.size() - 1) == 0;
}

}  // namespace

ContentTag TagReading::of(CellId cell) {
  const auto* segment = tags_[cell.segment - 1].get();
  if (segment == nullptr) return {};
  const auto block = cell.cell / cells_in_block;
  auto found = std::ranges::find_if(
      seen_, [&](const Seen& each) { return each.segment == segment && each.block == block; });
  if (found == seen_.end()) {
    found = seen_.begin() + static_cast<std::ptrdiff_t>(next_++ % seen_.size());
    segment->read(block, found->tags);
    found->segment = segment;
    found->block = block;
  }
  return found->tags[cell.cell % cells_in_block];
}

std::optional<ContentTag> TagReading::of(const StoredPage& page, const CellTags& how) {
  const auto of_cell = of(page.cell);
  if (of_cell.is_none()) return std::nullopt;
  if (!page.below) return of_cell;
  const auto of_below = of(*page.below);
  if (of_below.is_none()) return std::nullopt;
  return how.of_difference(of_cell, of_below);
}

PageTeller::PageTeller(const PageBase& base, Tagged tagged) : base_(base), tagged_(tagged) {
  if (!base_.tags) return;
  for (const auto& each : base_.segments) tags_.push_back(base_.tags->find(each));
}

PageSight PageTeller::tell(const Piece& piece, std::span<const std::byte> page,
                           TagReading& reading) const {
  PageSight sight;
  if (is_zero(page)) return sight;
  if (base_.tags && piece.kind == Piece::Kind::record) {
    const auto before = base_.predecessors.at(piece.address);
    const auto then = before ? reading.of(*before, *base_.tags) : std::nullopt;
    if (then || tagged_ == Tagged::all) sight.tag = base_.tags->of(page);
    if (then && *sight.tag == *then) {
      sight.stored = before;
      return sight;
    }
  }
  sight.name = content_name(base_.key, page);
  return sight;
}

}  // namespace satchel::hibernation
