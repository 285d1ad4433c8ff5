// The digest of a file's content by which a sync tells whether two are the same. Zeros count the
// same whether they are stored or a hole, and cost nothing in a hole. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "crypto/digest.hpp"

namespace satchel::sync {

/// BLAKE2b over the content in blocks of 64 KiB: 'D' and the bytes, or 'Z' and the number of blocks
/// of a longest run of zero ones. A last block that is shorter: 'L', its length and its bytes, or
/// one of the zero ones. At the end 'E' and the content's length. Numbers are 8 bytes, little
/// endian.
class ContentDigest {
 public:
  static constexpr std::size_t block = 64U << 10;

  void data(std::span<const std::byte> bytes);
  void hole(ByteCount length);
  /// Ends it.
  Digest finish();

  ByteCount length() const { return ByteCount(length_); }

 private:
  void whole_block(std::span<const std::byte> bytes);
  void end_zeros();
  void number(char tag, std::uint64_t value);

  Hasher hasher_;
  std::vector<std::byte> partial_;
  std::uint64_t zeros_ = 0;
  std::uint64_t length_ = 0;
};

/// That of a symbolic link: of where it leads.
Digest link_digest(std::string_view target);

bool all_zero(std::span<const std::byte> bytes);

}  // namespace satchel::sync
