// One block of memory as a zstd frame of its own, as all codecs here store it: with its content's
// size and zstd's checksum, named by the digest of the frame. Any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "crypto/digest.hpp"

namespace satchel::hibernation {

/// What a reader says of memory that is not what was written.
Fault damaged(std::string object, std::string why);

/// Compresses `raw` into the beginning of `packed`, which is made large enough, and gives the
/// frame's size. `level`: zstd's, negative ones are faster than 1.
std::size_t pack_frame(std::span<const std::byte> raw, int level, std::vector<std::byte>& packed);

/// Decompresses a frame that is exactly `packed` into `raw`, whose size its content must have. The
/// digest first: nothing that was not signed for reaches the decompressor. Throws damaged(`name`).
void unpack_frame(std::span<const std::byte> packed, const Digest& digest, std::span<std::byte> raw,
                  const std::string& name);
/// The same of a frame whose digest was compared already.
void unpack_authentic(std::span<const std::byte> packed, std::span<std::byte> raw,
                      const std::string& name);

}  // namespace satchel::hibernation
