// Codec "zstd-pages-3" (docs/DEVICE-FORMAT.md, "Pages by content"): QEMU's stream in, and of its
// pages only those that neither the segments of earlier generations hold already nor the machine's
// disks, or only how they differ from what stood at their address; and back, bit-exact. Blocking,
// several threads of its own; call it on the files lane.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/handle.hpp"
#include "hibernation/borrow_table.hpp"
#include "hibernation/borrowed_pages.hpp"
#include "hibernation/codec.hpp"
#include "hibernation/disk_pages.hpp"
#include "hibernation/local_segments.hpp"
#include "hibernation/page_index.hpp"
#include "hibernation/page_map.hpp"
#include "hibernation/predecessors.hpp"

namespace satchel::hibernation {

class CellTags;

/// Of a memory that has borrowed cells, of one that has none, and what was written before pages
/// could be stored as differences: all are read as the first.
inline constexpr auto borrowing_codec = "zstd-pages-3";
inline constexpr auto page_codec = "zstd-pages-2";
inline constexpr auto first_page_codec = "zstd-pages-1";

/// Opens the pages object of a segment for reading; its size is the one that the map says. Throws
/// Fault.
using SegmentOpener = std::function<UniqueFd(const Segment&)>;

/// The content of a cell, by its segment's place among PageBase::segments, until the next call;
/// none where it can't be had without waiting for a slow device. Called on one thread.
using CellContent = std::function<std::optional<std::span<const std::byte>>(std::size_t segment,
                                                                            std::uint64_t cell)>;

/// What earlier generations offer: the segments that are worth referring to, and the names of their
/// cells. Empty: nothing, and names of a new key.
struct PageBase {
  ContentKey key = ContentKey::random();
  std::vector<Segment> segments;
  PageIndex index;
  std::vector<PageIndex::Id> first;  ///< the id of each segment's first cell
  /// Cells are told here by their segment's place in `segments` plus one.
  std::unordered_map<PageIndex::Id, CellId> below;  ///< of cells that are differences
  Predecessors predecessors;
  CellContent content;               ///< empty: no page is stored as a difference
  std::vector<BorrowTable> borrows;  ///< of each segment
  /// None: no page is borrowed, and what earlier segments borrowed is not referred to.
  std::optional<DiskPages> disks;
  std::shared_ptr<CellTags> tags;  ///< by which pages are told that have not changed; or none
};

/// Reads the names of the cells of those segments that are worth keeping (alive_cells.hpp), as far
/// as they are in blocks that this generation's own memory needs. Throws Fault when a segment is
/// not there or its table is damaged.
/// `most`: segments, as for worth_keeping().
PageBase read_page_base(const PageMap& map, const SegmentOpener& open,
                        std::size_t most = most_referred);

/// Reads those blocks of the device and checks that they are what was written, little by little:
/// for who has not just decoded all of this generation's memory from there.
class PageBaseCheck {
 public:
  /// `own`: for a memory that was written with a base that has been read.
  enum class Of { all_segments, own };
  /// Throws Fault as read_page_base() does.
  PageBaseCheck(const PageMap& map, const SegmentOpener& open, DiskReader disks,
                Of of = Of::all_segments);
  PageBaseCheck(PageBaseCheck&&) noexcept;
  ~PageBaseCheck();

  /// Reads about as much more, and gives whether there is more to be read. Throws Fault when
  /// something is not what was written.
  bool go_on(ByteCount amount);
  /// Read so far.
  ByteCount done() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};
/// The same at once. Throws Fault with Remedy::retry when stopped.
void verify_page_base(const PageMap& map, const SegmentOpener& open, DiskReader disks,
                      const ProgressSink& progress, std::stop_token stop,
                      PageBaseCheck::Of of = PageBaseCheck::Of::all_segments);

struct PageEncoderSettings {
  int level = 1;             ///< zstd's, 1 to 19
  unsigned threads = 2;      ///< 1 to 64
  std::uint64_t number = 1;  ///< of the generation; the base's are lower
  /// Whether higher levels are used while the segment's sink is slower than the compression.
  enum class Level { as_set, follows_sink } level_is = Level::follows_sink;
  /// Whether the base's tags get those of the new segment's cells as well, for the generation after
  /// it.
  enum class OwnTags { unwanted, wanted } own_tags = OwnTags::unwanted;
};

struct PageSinks {
  Sink segment;  ///< the bytes of the generation's own pages object
  /// Those of a second segment that stands in for all that earlier segments hold: with it and the
  /// own one alone the stream can be put together. Empty: it isn't wanted.
  Sink stand_in;
  /// The own segment's borrowed cells, one behind the other. Empty: they aren't wanted.
  Sink borrowed{};
};

struct EncodedPages {
  ByteCount stream_size;
  std::string map;                ///< the map object's bytes
  std::string stand_in_map;       ///< for own segment and stand-in; empty without
  std::vector<Segment> segments;  ///< that the map names, the own one first
  std::uint64_t known_cells = 0;  ///< that were in earlier segments
  std::uint64_t told_by_tag = 0;  ///< of these, those that were not looked up by their names
  std::uint64_t differences = 0;  ///< of the own segment's cells
  std::uint64_t borrowed = 0;     ///< the same

  /// What a head calls it.
  const char* codec() const;
};

/// Reads `in` to its end. Memory is bounded: the index, and some megabytes a thread. Slow sinks
/// slow the reader down. Throws what `in` or a sink threw first, Fault with Remedy::retry when
/// stopped, and Remedy::later_version for a stream that is too long for a map.
EncodedPages encode_pages(const Source& in, const PageSinks& sinks, PageBase base,
                          const PageEncoderSettings& settings, const ProgressSink& progress,
                          std::stop_token stop);

/// What is used of this computer's copies of segments while one decodes.
struct LocalUse {
  LocalSegments segments;
  LocalCopy::Grows grows = LocalCopy::Grows::no;  ///< what is read of the device is kept here
};

/// What a decoding cost.
struct Decoded {
  ByteCount read;          ///< of the device
  ByteCount at_hand;       ///< of this computer's copies
  bool is_copied = false;  ///< all blocks that were needed are in the copies now
};

/// Where borrowed cells come from.
struct Lenders {
  DiskReader disks;      ///< as the generation's chains show them
  SegmentOpener copies;  ///< a file of the segment's borrowed cells; invalid: there is none
};

/// The segments of a checked map, their tables read and verified.
class PageDecoder {
 public:
  /// Throws Fault naming the segment that is not there or damaged. Where local copies are used,
  /// those of borrowed cells are theirs as well.
  PageDecoder(PageMap map, const SegmentOpener& open, Lenders lenders = {},
              const std::optional<LocalUse>& local = std::nullopt);
  PageDecoder(PageDecoder&&) noexcept;
  PageDecoder& operator=(PageDecoder&&) noexcept;
  ~PageDecoder();

  ByteCount stream_size() const;
  /// Gives the stream to `out` in order, on the caller's thread. Every block's digest is checked
  /// before a byte of it is decompressed. Throws Fault naming the block that is damaged; nothing of
  /// a damaged block is given to `out`. Progress is in bytes of the stream. `tags` gets those of
  /// the cells that the next generation may refer to.
  Decoded decode(const Sink& out, unsigned threads, const ProgressSink& progress,
                 std::stop_token stop, CellTags* tags = nullptr) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satchel::hibernation
