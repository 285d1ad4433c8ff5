// The merge of a disk's chain: what the layers hold goes into the file below them, by a
// qemu-storage-daemon of ours that is given nothing but descriptors. For chains at rest, and beside
// a guest that reads them (docs/decisions/0009-merge-and-fold.md). Blocking: the files lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <vector>

#include "base/progress.hpp"

namespace satchel::disk {

struct ChainMerge {
  /// The chain's qcow2 files, bottom first, up to `top` at least; what is above is not used. All
  /// were checked (check_qcow2) on these very descriptors. Readable; that of `base` writable too.
  std::vector<int> files;
  std::size_t base = 0;  ///< index of the file that takes what is above it
  std::size_t top = 0;   ///< index of the topmost file that is merged; more than `base`
  std::uint64_t bytes_per_second = 0;  ///< 0: no limit
  /// Whether a guest has the same files open, for reading only: QEMU's own locks would refuse to
  /// write beside it. The caller sees to it that nobody else writes.
  enum class Readers { none, guest } readers = Readers::none;
};

/// Merges all that the files above base up to top hold into base. Only base is written to, and only
/// where one of those files hides it, so the chain shows the same content at every instant, also
/// when this is stopped, killed or fails: run it again, any number of times. What the layers have
/// as zeros or discarded takes no room in base. At the end base is closed cleanly and its data were
/// fsynced once; whoever tells somebody fsyncs a descriptor of its own all the same. Nothing is
/// removed, no other file's header changes. Throws Fault with QEMU's own words; Remedy::retry when
/// it was stopped.
void merge_chain(const ChainMerge& merge, const ProgressSink& progress, std::stop_token stop);

}  // namespace satchel::disk
