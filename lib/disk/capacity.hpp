// Whether a device keeps as much as it says it does: counterfeit ones wrap around, or drop what is
// written beyond their end. Blocks that are each of their own are written all over it and read
// back; what stood there before is put back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "base/ids.hpp"
#include "base/progress.hpp"

namespace satchel::disk {

/// What is probed; offsets and sizes are multiples of `capacity_block`. The functions throw Fault.
struct Medium {
  ByteCount size;
  std::function<void(std::uint64_t at, std::span<std::byte>)> read;
  std::function<void(std::uint64_t at, std::span<const std::byte>)> write;
  std::function<void()> sync;  ///< what was written is on the medium
};

inline constexpr std::size_t capacity_block = 4096;

/// About how much the medium keeps, when that is less than its size; none when each block that was
/// tried came back. Tried are the last block, 64 that lie evenly, and from several places those
/// that lie a power of two further, which is where devices wrap around. `seed`: makes the blocks
/// unlike those of any other probe. Blocking. Throws Fault: the medium's; retry when stopped, with
/// everything put back.
std::optional<ByteCount> probe_capacity(const Medium& medium, std::uint64_t seed,
                                        const ProgressSink& progress, std::stop_token stop);

/// The same for an open block device or file, past the page cache. `name`: for people.
std::optional<ByteCount> probe_capacity(int fd, const std::string& name,
                                        const ProgressSink& progress, std::stop_token stop);

/// The offsets that are tried, each once, in order.
std::vector<std::uint64_t> capacity_samples(ByteCount size);

}  // namespace satchel::disk
