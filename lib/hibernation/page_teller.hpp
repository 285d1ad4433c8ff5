// Tells what the pages of a stream are: zeros, what stood at their address before, or something
// that has to be looked up by its name. A tag is a fifth of a name's work, and most pages have not
// changed (docs/decisions/0031-known-pages-by-tags.md). Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "hibernation/cell_tags.hpp"
#include "hibernation/page_codec.hpp"
#include "hibernation/stream_cutter.hpp"

namespace satchel::hibernation {

/// What was told of a page. Neither stored nor named: all of it is zero.
struct PageSight {
  std::optional<StoredPage> stored{};  ///< so the base has it, at the same address
  std::optional<ContentName> name{};
  std::optional<ContentTag> tag{};
};

/// The tags of a base's cells, as they are asked for one after the other. One thread at a time.
class TagReading {
 public:
  using Tags = std::vector<std::shared_ptr<const SegmentTags>>;

  /// `tags`: of each segment of the base, where it has some.
  explicit TagReading(const Tags& tags) : tags_(tags) {}

  /// Of a page as it is stored; none where a tag is missing.
  std::optional<ContentTag> of(const StoredPage& page, const CellTags& how);

 private:
  struct Seen {
    const SegmentTags* segment = nullptr;
    std::uint64_t block = 0;
    SegmentTags::Block tags;
  };

  ContentTag of(CellId cell);

  const Tags& tags_;
  std::array<Seen, 4> seen_;  ///< a page and what is below it, and as much of another run
  std::size_t next_ = 0;
};

class PageTeller {
 public:
  /// Which pages get tags: those whose predecessor has one, or all that have an address.
  enum class Tagged { as_needed, all };

  /// Of the base its key, segments, predecessors and tags, which have to outlive the teller and
  /// stay as they are.
  PageTeller(const PageBase& base, Tagged tagged);

  TagReading reading() const { return TagReading(tags_); }
  PageSight tell(const Piece& piece, std::span<const std::byte> page, TagReading& reading) const;

 private:
  const PageBase& base_;
  Tagged tagged_;
  TagReading::Tags tags_;
};

}  // namespace satchel::hibernation
