// Decides for every piece of the stream how it is stored, and writes the recipe: the middle of the
// page encoder, and its memory of what is known. Pure but for the blocks it gives away; one thread
// at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hibernation/block_shelf.hpp"
#include "hibernation/cell_tags.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/page_teller.hpp"
#include "hibernation/read_limit.hpp"
#include "hibernation/recipe.hpp"
#include "hibernation/stream_cutter.hpp"

namespace satchel::hibernation {

/// A block full of cells, or the last one of its segment.
struct FullBlock {
  enum class Of { segment, stand_in } of = Of::segment;
  std::vector<std::byte> cells{};     ///< those that it holds itself
  std::vector<std::byte> borrowed{};  ///< the others, where they are wanted
  std::uint64_t count = 0;            ///< of both
};

class PageComposer {
 public:
  using Give = std::function<void(FullBlock)>;
  enum class StandIn { wanted, unwanted };
  enum class Borrowed { wanted, unwanted };

  PageComposer(PageBase base, Give give, StandIn stand_in, Borrowed borrowed, OwnTags own_tags);

  /// What it was given. Its key, segments, predecessors and tags stay as they are.
  const PageBase& base() const { return base_; }
  /// The next piece. Of bare cells and records: the page's bytes, and what was told of it.
  void take(const Piece& piece, std::span<const std::byte> bytes, const PageSight& sight);
  /// After the last piece: gives the last blocks away.
  void finish();

  // When it is finished:
  std::string recipe() { return recipe_.finish(); }
  std::string stand_in_recipe() { return stand_in_recipe_.finish(); }
  std::uint64_t cells() const { return cells_; }
  std::uint64_t stand_in_cells() const { return stand_in_cells_; }
  std::uint64_t known_cells() const { return known_cells_; }
  std::uint64_t told_by_tag() const { return told_by_tag_; }
  std::uint64_t differences() const { return differences_; }
  const BorrowTable& borrows() const { return borrows_; }
  std::shared_ptr<const SegmentTags> own_tags() { return own_tags_.finish(); }
  /// Of the own segment's cells, those that have one.
  std::span<const ContentName> names() const { return base_.index.names_from(first_own_); }
  /// Earlier segments in the order that the recipe numbers them in, from 1.
  std::vector<Segment> used_segments() const;

 private:
  struct Below {
    CellId cell;
    std::span<const std::byte> page;
  };
  struct Place {
    Framing framing;
    std::uint64_t address;
  };
  // Of cells' segments 0 is the own one, others are the base's, from 1.
  std::optional<StoredPage> known(const ContentName& name) const;
  bool may_refer(const StoredPage& before) const;
  bool is_hidden(CellId cell) const;
  void hide_what_is_overwritten();
  bool is_overwritten(std::size_t segment, std::uint64_t cell) const;
  std::optional<Below> predecessor(Place place, std::span<const std::byte> page) const;
  bool is_near(CellId cell) const;
  bool is_near(const StoredPage& page) const;
  void touch(CellId cell);
  CellId in_recipe(CellId cell);
  void append(FullBlock& block, std::span<const std::byte> page);
  void count(FullBlock& block);
  CellId append_to_stand_in(std::span<const std::byte> page);
  void refer(Place place, const StoredPage& found, std::span<const std::byte> page);
  void store(Place place, std::span<const std::byte> page, const ContentName& name,
             const std::optional<ContentTag>& tag);
  void borrow(Place place, std::span<const std::byte> page, DiskPage from);
  void store_difference(Place place, std::span<const std::byte> page, const Below& below);

  PageBase base_;
  PageIndex::Id first_own_;
  Give give_;
  StandIn stand_in_;
  Borrowed borrowed_;
  BorrowTable borrows_;
  OwnTags own_tags_;
  BlockShelf shelf_;
  ReadLimit limit_;
  RecipeWriter recipe_;
  RecipeWriter stand_in_recipe_;
  FullBlock block_;
  FullBlock stand_in_block_{FullBlock::Of::stand_in};
  std::uint64_t base_cells_ = 0;
  std::uint64_t cells_ = 0;
  std::uint64_t stand_in_cells_ = 0;
  std::uint64_t known_cells_ = 0;
  std::uint64_t told_by_tag_ = 0;
  std::uint64_t differences_ = 0;
  std::vector<std::uint32_t> used_;  ///< of the base's segments, from 1, in the order of first use
};

}  // namespace satchel::hibernation
