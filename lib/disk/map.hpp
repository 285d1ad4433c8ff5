// Where the bytes of a disk file stand: `qemu-img map`, read as it comes, for it may have millions
// of extents. Blocking: the files lane. Inner header of lib/disk.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>

#include "disk/qemu_call.hpp"

namespace satchel::disk {

struct Extent {
  std::uint64_t start;   ///< in the disk that the file shows
  std::uint64_t length;  ///< not 0
  bool present;          ///< the file itself says what is there
  bool zero;             ///< reads as zeros
  bool data;
  std::optional<std::uint64_t> place;  ///< in the file; none for what is compressed
};

/// Gives each extent of the file alone, without gaps, from the disk's first byte to its last. Safe
/// while a suspended guest has the file open. Throws Fault with qemu-img's words, and what `take`
/// throws.
void read_map(const SourceFile& file, const Deed& deed,
              const std::function<void(const Extent&)>& take, std::stop_token stop);

}  // namespace satchel::disk
