// Pages stored as what differs from the page that stood at the same address before: the exclusive
// or of the two, mostly zeros. Pure; any thread.
#pragma once

#include <cstddef>
#include <span>

#include "hibernation/stream_parser.hpp"

namespace satchel::hibernation {

/// All three of a page's size. `out` may be one of the others.
inline void combine(std::span<const std::byte> page, std::span<const std::byte> below,
                    std::span<std::byte> out) {
  for (std::size_t i = 0; i < page_size; ++i) out[i] = page[i] ^ below[i];
}

/// Whether so little of a page changed that its difference is smaller than itself, as measured
/// (docs/decisions/0023-differences.md): at most a quarter of its bytes.
inline bool is_close(std::span<const std::byte> page, std::span<const std::byte> below) {
  std::size_t changed = 0;
  for (std::size_t i = 0; i < page_size; ++i) changed += page[i] == below[i] ? 0U : 1U;
  return changed <= page_size / 4;
}

}  // namespace satchel::hibernation
