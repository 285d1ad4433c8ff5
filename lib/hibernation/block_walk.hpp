// Follows a recipe block by block, and says where the block that is needed next stands on the shelf
// and when it has to be loaded. All who follow a recipe do it with this, so they agree. Pure; one
// thread at a time.
#pragma once

#include <optional>

#include "hibernation/block_shelf.hpp"
#include "hibernation/page_map.hpp"
#include "hibernation/recipe.hpp"

namespace satchel::hibernation {

class BlockWalk {
 public:
  /// The map has to outlive the walk.
  explicit BlockWalk(const PageMap& map) : map_(map), reader_(map.recipe, map.segments.size()) {}

  /// A step, or as much of it as is in one block.
  struct Part {
    RecipeStep step;
    /// Of cells, and of differences.
    struct Cells {
      BlockId block;
      std::size_t first = 0;  ///< of them, in the block
      BlockShelf::Place place{0, false};
    };
    Cells cells;
    Cells below;  ///< of differences alone. Needed before the others are
    /// Blocks that have to be loaded for it.
    unsigned missed() const {
      return (below.place.missed ? 1U : 0U) + (cells.place.missed ? 1U : 0U);
    }
  };
  /// None at the end, or where the recipe is broken or names a cell that is not there.
  std::optional<Part> next();
  bool is_broken() const { return broken_ || reader_.is_broken(); }
  std::uint64_t fresh() const { return reader_.fresh(); }

 private:
  bool has_cells(std::uint32_t segment, std::uint64_t cell, std::uint64_t count) const;
  Part::Cells need(std::uint32_t segment, std::uint64_t cell);

  const PageMap& map_;
  RecipeReader reader_;
  BlockShelf shelf_;
  RecipeStep left_;  ///< of a step of cells or differences
  bool broken_ = false;
};

/// Whether a step names cells: of cells or differences.
bool is_of_cells(const RecipeStep& step);
/// Bytes of the stream that a part makes.
std::uint64_t stream_size_of(const RecipeStep& step);

}  // namespace satchel::hibernation
