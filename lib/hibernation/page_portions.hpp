// The first half of the page encoder: reads the stream, cuts it, and names its pages on several
// threads. Blocking.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <vector>

#include "crypto/content_name.hpp"
#include "hibernation/codec.hpp"
#include "hibernation/stream_cutter.hpp"

namespace satchel::hibernation {

/// A portion of the stream, cut and named.
struct Portion {
  std::vector<std::byte> bytes;
  std::size_t size = 0;  ///< as much of `bytes` is this portion's
  std::vector<Piece> pieces;
  /// For each piece; none for pages of zeros and for what is no page.
  std::vector<std::optional<ContentName>> names;

  /// What a piece holds: a page, or text.
  std::span<const std::byte> content(const Piece& piece) const;
};

/// Reads `in` to its end and gives its portions to `take`, in order, on the caller's thread. Throws
/// what `in` or `take` threw first, and Fault with Remedy::retry when stopped.
void read_portions(const Source& in, const ContentKey& key, unsigned threads,
                   const std::function<void(const Portion&)>& take, std::stop_token stop);

}  // namespace satchel::hibernation
