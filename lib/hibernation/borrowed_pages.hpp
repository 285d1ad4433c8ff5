// Reads borrowed cells: of a disk, or of a copy on this computer, and checks each by its name. Any
// thread; the disks are asked by one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "crypto/content_name.hpp"
#include "hibernation/local_segments.hpp"
#include "hibernation/segment_file.hpp"

namespace satchel::hibernation {

/// Fills `out` with what the guest sees of a disk, from `offset` on; both are multiples of 4096.
/// Throws Fault.
using DiskReader =
    std::function<void(const std::string& target, std::uint64_t offset, std::span<std::byte> out)>;

/// A borrowed cell and where its content is.
struct LentCell {
  DiskPage from;
  std::uint64_t cell = 0;
};
/// A segment's borrowed cells that are wanted (by cell), as they lie on the disks.
std::vector<LentCell> lent_cells(const SegmentFile& file, const std::vector<bool>& wanted);

class BorrowedPages {
 public:
  /// Without a reader, copies have to have all.
  BorrowedPages(const ContentKey& key, DiskReader disks);

  struct Borrower {
    const SegmentFile& file;
    const std::vector<bool>& wanted;  ///< by cell
    /// Has the segment's borrowed cells one behind the other; it is written to where it grows.
    const LocalCopy& copy;
    /// Those that may be read for a copy that grows, when they lie beside one that has to be.
    std::span<const LentCell> lent{};
  };
  struct Cost {
    ByteCount read;
    ByteCount at_hand;  ///< those that were read ahead among them
    ByteCount ahead;    ///< of what was read, for other blocks
  };
  /// Fills those of the block's cells that are borrowed and wanted. Throws Fault where the disk no
  /// longer shows what it should.
  Cost fill(const Borrower& borrower, std::uint64_t block, std::span<std::byte> cells) const;

 private:
  using Take = std::function<void(const LentCell&, std::span<const std::byte>)>;

  bool is_right(const SegmentFile& file, std::uint64_t cell, std::span<const std::byte> page) const;
  void read_together(const SegmentFile& file, std::span<const LentCell> pages, const Take& take,
                     Cost& cost) const;

  ContentKey key_;
  DiskReader disks_;
  mutable std::mutex asking_;
};

}  // namespace satchel::hibernation
