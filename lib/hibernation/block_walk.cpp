#include "hibernation/block_walk.hpp"

#include <algorithm>

#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

bool is_of_cells(const RecipeStep& step) {
  return step.kind == RecipeStep::Kind::cells || step.kind == RecipeStep::Kind::differences;
}

bool BlockWalk::has_cells(std::uint32_t segment, std::uint64_t cell, std::uint64_t count) const {
  const auto there = map_.segments[segment].cells;
  return cell <= there && count <= there - cell;
}

BlockWalk::Part::Cells BlockWalk::need(std::uint32_t segment, std::uint64_t cell) {
  const BlockId block{segment, static_cast<std::uint32_t>(cell / cells_in_block)};
  return {block, cell % cells_in_block, shelf_.touch(block)};
}

std::optional<BlockWalk::Part> BlockWalk::next() {
  if (broken_) return std::nullopt;
  if (left_.count == 0) {
    auto step = reader_.next();
    if (!step) return std::nullopt;
    if (!is_of_cells(*step)) return Part{*step, {}, {}};
    const bool is_difference = step->kind == RecipeStep::Kind::differences;
    if (!has_cells(step->segment, step->cell, step->count) ||
        (is_difference && !has_cells(step->below_segment, step->below_cell, step->count))) {
      broken_ = true;
      return std::nullopt;
    }
    left_ = *step;
  }
  Part part{left_, {}, {}};
  auto& count = part.step.count;
  count = std::min(count, cells_in_block - left_.cell % cells_in_block);
  if (left_.kind == RecipeStep::Kind::differences) {
    count = std::min(count, cells_in_block - left_.below_cell % cells_in_block);
    part.below = need(left_.below_segment, left_.below_cell);
  }
  part.cells = need(left_.segment, left_.cell);
  left_.count -= count;
  left_.cell += count;
  left_.below_cell += count;
  left_.address += count;
  return part;
}

std::uint64_t stream_size_of(const RecipeStep& step) {
  switch (step.kind) {
    case RecipeStep::Kind::text:
      return step.text.size();
    case RecipeStep::Kind::fill:
      return step.count * fill_size;
    case RecipeStep::Kind::zeros:
    case RecipeStep::Kind::cells:
    case RecipeStep::Kind::differences:
      return step.count * (step.framing == Framing::record ? record_size : page_size);
  }
  return 0;
}

}  // namespace satchel::hibernation
