// What of the fake hypervisor's streams looks like a machine's memory.
#pragma once

#include <cstddef>

namespace satchel::test {

/// A stream of this very size has 30 pages of memory with addresses, of which 10 others change with
/// each count; others are nothing that looks like memory.
inline constexpr std::size_t stream_with_memory = 160 << 10;

}  // namespace satchel::test
