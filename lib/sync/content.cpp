#include "sync/content.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace satchel::sync {

bool all_zero(std::span<const std::byte> bytes) {
  if (bytes.empty()) return true;
  return bytes[0] == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

void ContentDigest::number(char tag, std::uint64_t value) {
  std::array<std::byte, 9> bytes{static_cast<std::byte>(tag)};
  for (std::size_t n = 1; n < bytes.size(); ++n, value >>= 8U)
    bytes[n] = static_cast<std::byte>(value & 0xffU);
  hasher_.add(bytes);
}

void ContentDigest::end_zeros() {
  if (zeros_ > 0) number('Z', zeros_);
  zeros_ = 0;
}

void ContentDigest::whole_block(std::span<const std::byte> bytes) {
  if (all_zero(bytes)) {
    ++zeros_;
    return;
  }
  end_zeros();
  const std::byte tag{'D'};
  hasher_.add({&tag, 1});
  hasher_.add(bytes);
}

void ContentDigest::data(std::span<const std::byte> bytes) {
  length_ += bytes.size();
  while (!bytes.empty()) {
    if (partial_.empty() && bytes.size() >= block) {
      whole_block(bytes.first(block));
      bytes = bytes.subspan(block);
      continue;
    }
    const auto piece = bytes.first(std::min(bytes.size(), block - partial_.size()));
    partial_.insert(partial_.end(), piece.begin(), piece.end());
    bytes = bytes.subspan(piece.size());
    if (partial_.size() < block) continue;
    whole_block(partial_);
    partial_.clear();
  }
}

void ContentDigest::hole(ByteCount length) {
  std::uint64_t left = length.value;
  length_ += left;
  if (!partial_.empty()) {
    const auto piece = std::min<std::uint64_t>(left, block - partial_.size());
    partial_.resize(partial_.size() + static_cast<std::size_t>(piece));
    left -= piece;
    if (partial_.size() < block) return;
    whole_block(partial_);
    partial_.clear();
  }
  zeros_ += left / block;
  partial_.resize(static_cast<std::size_t>(left % block));
}

Digest ContentDigest::finish() {
  if (!partial_.empty() && all_zero(partial_)) {
    ++zeros_;
  } else if (!partial_.empty()) {
    end_zeros();
    number('L', partial_.size());
    hasher_.add(partial_);
  }
  end_zeros();
  number('E', length_);
  return hasher_.finish();
}

Digest link_digest(std::string_view target) { return digest_of(target); }

}  // namespace satchel::sync
