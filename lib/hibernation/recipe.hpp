// A recipe: how a stream is put together from cells of segments, text and what records of memory
// look like (docs/DEVICE-FORMAT.md, "The recipe"). Steps are run-length coded: most are a few bytes
// for many pages. Pure; one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace satchel::hibernation {

/// Whether a page stands behind its record's header or alone.
enum class Framing : std::uint8_t { bare, record };

/// What stands in the stream next.
struct RecipeStep {
  enum class Kind : std::uint8_t {
    text,   ///< these bytes
    fill,   ///< `count` records of pages of zeros
    zeros,  ///< `count` pages of zeros, with `framing`
    cells,  ///< `count` pages, with `framing`: cells of `segment` from `cell` on
    /// The same, but each cell is the exclusive or of its page and of one that stands below it.
    differences,
  };
  Kind kind = Kind::text;
  Framing framing = Framing::bare;
  std::uint32_t segment = 0;  ///< 0: the generation's own
  std::uint64_t cell = 0;
  std::uint64_t count = 0;
  std::uint64_t address = 0;        ///< of the first record: its page's number
  std::uint32_t below_segment = 0;  ///< of differences: the cells that they differ from
  std::uint64_t below_cell = 0;
  std::string_view text{};
};

/// A cell, by its segment's number in the recipe.
struct CellId {
  std::uint32_t segment = 0;
  std::uint64_t cell = 0;
  bool operator==(const CellId&) const = default;
};

class RecipeWriter {
 public:
  void text(std::span<const std::byte> bytes);
  void fill(std::uint64_t address, std::uint64_t count);
  void zeros(Framing framing, std::uint64_t address);
  /// The cell of the own segment that no step has named yet.
  void fresh(Framing framing, std::uint64_t address);
  void known(Framing framing, std::uint64_t address, CellId cell);
  /// The same two, of cells that hold only how a page differs from the one below.
  void fresh_difference(Framing framing, std::uint64_t address, CellId below);
  void known_difference(Framing framing, std::uint64_t address, CellId cell, CellId below);

  /// Bytes so far.
  std::size_t size() const { return out_.size(); }
  std::string finish();

 private:
  void run(RecipeStep next, std::uint8_t code);
  void flush();
  void put(std::uint64_t number);

  std::string out_;
  RecipeStep run_;
  std::uint8_t code_ = 0;
  std::uint64_t next_address_ = 0;
  std::uint64_t fresh_ = 0;
  std::vector<std::uint64_t> next_cell_;   ///< by segment: behind the last that was named
  std::vector<std::uint64_t> next_below_;  ///< the same of cells below differences
};

class RecipeReader {
 public:
  /// The bytes have to outlive the reader and its steps.
  RecipeReader(std::string_view recipe, std::size_t segments);

  /// The next step; none at the end and when the recipe makes no sense.
  std::optional<RecipeStep> next();
  bool is_broken() const { return broken_; }
  /// Cells of the own segment that were named in their order so far.
  std::uint64_t fresh() const { return fresh_; }

 private:
  std::uint64_t number();
  std::uint64_t zigzag(std::uint64_t base);
  CellId cell_behind(const std::vector<std::uint64_t>& next);
  std::optional<RecipeStep> broken();

  std::string_view rest_;
  bool broken_ = false;
  std::uint64_t address_ = 0;
  std::uint64_t fresh_ = 0;
  std::vector<std::uint64_t> next_cell_;
  std::vector<std::uint64_t> next_below_;
};

}  // namespace satchel::hibernation
