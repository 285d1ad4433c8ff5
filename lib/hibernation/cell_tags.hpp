// Tags of the cells of segments, as far as they are known: a page with the tag of a cell is what
// that cell holds (docs/decisions/0031-known-pages-by-tags.md). The key stays in this object, the
// tags in files without a name; what of them is missing or wrong makes a page be looked up by its
// name, and nothing else. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "base/handle.hpp"
#include "crypto/content_tag.hpp"
#include "hibernation/page_map.hpp"

namespace satchel::hibernation {

/// Those of one segment's cells.
class SegmentTags {
 public:
  using Block = std::array<ContentTag, cells_in_block>;

  /// Of a file that nobody else writes to: the tags one behind the other.
  explicit SegmentTags(UniqueFd file) : file_(std::move(file)) {}

  /// Those of a block's cells, in their order. What can't be written is missing.
  void write(std::uint64_t block, const Block& tags) const noexcept;
  /// The same, where a cell whose tag is missing has none.
  void read(std::uint64_t block, Block& tags) const noexcept;

 private:
  UniqueFd file_;
};

/// Those of a segment that is being written, cell by cell. One thread at a time.
class OwnTags {
 public:
  /// Without a file nothing comes of it.
  explicit OwnTags(std::shared_ptr<SegmentTags> file) : file_(std::move(file)) {}

  bool are_wanted() const { return file_ != nullptr; }
  /// Of the next cell.
  void add(const ContentTag& tag);
  /// After the last cell.
  std::shared_ptr<const SegmentTags> finish();

 private:
  std::shared_ptr<SegmentTags> file_;
  SegmentTags::Block block_{};
  std::uint64_t cells_ = 0;
};

class CellTags {
 public:
  /// With a new key, and files in `directory`, which is on a disk. None where tags can't be had.
  static std::shared_ptr<CellTags> make(std::filesystem::path directory);

  ContentTag of(std::span<const std::byte> page) const { return tagger_.tag(page); }
  /// Of the page that a difference and the page below it make.
  ContentTag of_difference(const ContentTag& difference, const ContentTag& below) const {
    // A tag is the same for all pages but for a sum over their bits.
    return difference ^ below ^ of_zeros_;
  }

  /// For the tags of a segment that is being read or written; none where no file can be made.
  std::shared_ptr<SegmentTags> begin() const;
  /// These are of this very segment.
  void keep(const Segment& segment, std::shared_ptr<const SegmentTags> tags);
  /// Those of other segments are needed no more.
  void keep_only(std::span<const Segment> segments);
  std::shared_ptr<const SegmentTags> find(const Segment& segment) const;

 private:
  using Kept = std::pair<Segment, std::shared_ptr<const SegmentTags>>;

  CellTags(std::filesystem::path directory, ContentTagger tagger);

  std::filesystem::path directory_;
  ContentTagger tagger_;
  ContentTag of_zeros_;
  mutable std::mutex mutex_;
  std::vector<Kept> kept_;  ///< guarded by mutex_; few
};

}  // namespace satchel::hibernation
