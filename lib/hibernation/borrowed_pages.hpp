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

class BorrowedPages {
 public:
  /// Without a reader, copies have to have all.
  BorrowedPages(const ContentKey& key, DiskReader disks);

  struct Cost {
    ByteCount read;
    ByteCount at_hand;
  };
  /// Fills those of the block's cells that are borrowed and wanted (`wanted`: by cell). `copy` has
  /// the segment's borrowed cells one behind the other; it is written to where it grows. Throws
  /// Fault where the disk no longer shows what it should.
  Cost fill(const SegmentFile& file, std::uint64_t block, const std::vector<bool>& wanted,
            std::span<std::byte> cells, const LocalCopy& copy) const;

 private:
  struct Missing {
    DiskPage from;
    std::uint64_t cell;
  };
  bool is_right(const SegmentFile& file, std::uint64_t cell, std::span<const std::byte> page) const;
  void read_together(const SegmentFile& file, std::span<const Missing> pages,
                     const std::function<void(const Missing&, std::span<const std::byte>)>& take,
                     Cost& cost) const;

  ContentKey key_;
  DiskReader disks_;
  mutable std::mutex asking_;
};

}  // namespace satchel::hibernation
