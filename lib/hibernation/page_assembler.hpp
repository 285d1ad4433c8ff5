// Puts a stream together from the cells of blocks, as its recipe says: the last part of the page
// decoder. Given the blocks in the order in which the recipe needs them. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hibernation/block_shelf.hpp"
#include "hibernation/block_walk.hpp"
#include "hibernation/codec.hpp"
#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

struct LoadedBlock {
  BlockId id;
  std::vector<std::byte> packed;
  bool is_copy = false;  ///< packed is from this computer's copy
  std::vector<std::byte> cells;
};

class Assembler {
 public:
  /// Both have to outlive it.
  Assembler(const PageMap& map, const Sink& out);

  /// As far as it goes without another block.
  void go_on();
  /// The block that is needed next; its cells are kept.
  void take(LoadedBlock& block);

  std::uint64_t made() const { return made_; }
  bool is_waiting() const { return waiting_.has_value(); }

 private:
  void write(const BlockWalk::Part& part);
  std::span<const std::byte> cell(const BlockWalk::Part::Cells& cells, std::uint64_t i) const;
  void write_page(const RecipeStep& step, std::uint64_t i, std::span<const std::byte> page);
  void put_header(std::uint64_t header);
  void put(std::span<const std::byte> bytes);
  void flush();

  BlockWalk walk_;
  const Sink& out_;
  std::array<std::vector<std::byte>, BlockShelf::slots> shelf_;
  std::optional<BlockWalk::Part> waiting_;
  std::vector<std::byte> buffer_;
  std::array<std::byte, page_size> combined_{};
  std::uint64_t made_ = 0;
};

}  // namespace satchel::hibernation
