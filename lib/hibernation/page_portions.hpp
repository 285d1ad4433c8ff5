// The first half of the page encoder: reads the stream, cuts it, and tells what its pages are on
// several threads. Blocking.
#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "hibernation/codec.hpp"
#include "hibernation/page_teller.hpp"
#include "hibernation/stream_cutter.hpp"

namespace satchel::hibernation {

/// A portion of the stream, cut, and its pages told.
struct Portion {
  std::vector<std::byte> bytes;
  std::size_t size = 0;  ///< as much of `bytes` is this portion's
  std::vector<Piece> pieces;
  std::vector<PageSight> sights;  ///< for each piece; nothing where it is no page

  /// What a piece holds: a page, or text.
  std::span<const std::byte> content(const Piece& piece) const;
};

/// Reads `in` to its end and gives its portions to `take`, in order, on the caller's thread. Throws
/// what `in` or `take` threw first, and Fault with Remedy::retry when stopped.
void read_portions(const Source& in, const PageTeller& teller, unsigned threads,
                   const std::function<void(const Portion&)>& take, std::stop_token stop);

}  // namespace satchel::hibernation
