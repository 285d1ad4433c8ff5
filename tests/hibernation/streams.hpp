// Streams to try the page codec with: real ones of QEMU's, and ones made up.
#pragma once

#include <cstdint>
#include <string>

#include "made_stream.hpp"

namespace satchel::test {

inline constexpr auto plain_machine = "-machine q35 -vga std";

/// The migration stream of a guest of 32 MiB just before its first instruction, by the real QEMU
/// with these arguments; made once.
const std::string& real_stream(const std::string& machine = plain_machine);

/// 4096 bytes that follow from `seed` and that nothing makes smaller.
std::string random_page(std::uint64_t seed);

}  // namespace satchel::test
