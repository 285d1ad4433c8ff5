// What a fuzz target says: that a promise was broken, and that an input was not merely refused.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>

namespace satchel::fuzz {

/// Ends the process, which is what a fuzzer keeps an input for.
inline void must(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", promise);
  std::abort();
}

/// How many inputs were accepted by what their target reads. A target all of whose seeds are
/// refused tries nothing any more.
inline std::size_t& accepted() {
  static std::size_t count = 0;
  return count;
}

}  // namespace satchel::fuzz
