#include "hibernation/block_walk.hpp"

#include <algorithm>

#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

std::optional<BlockWalk::Part> BlockWalk::next() {
  if (broken_) return std::nullopt;
  if (left_.count == 0) {
    auto step = reader_.next();
    if (!step) return std::nullopt;
    if (step->kind != RecipeStep::Kind::cells) return Part{*step, {}, 0, {0, false}};
    const auto cells = map_.segments[step->segment].cells;
    if (step->cell > cells || step->count > cells - step->cell) {
      broken_ = true;
      return std::nullopt;
    }
    left_ = *step;
  }
  Part part{left_, {}, 0, {0, false}};
  part.block = {left_.segment, static_cast<std::uint32_t>(left_.cell / cells_in_block)};
  part.first = left_.cell % cells_in_block;
  part.step.count = std::min(left_.count, cells_in_block - part.first);
  part.place = shelf_.touch(part.block);
  left_.count -= part.step.count;
  left_.cell += part.step.count;
  left_.address += part.step.count;
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
      return step.count * (step.framing == Framing::record ? record_size : page_size);
  }
  return 0;
}

}  // namespace satchel::hibernation
