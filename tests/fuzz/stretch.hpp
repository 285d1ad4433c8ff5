// Memory's pages and QEMU's streams out of few bytes: a page is 4096 of them, and a fuzzer that has
// to find each by itself tries little else. Anything can be said, for any byte can be said as it
// is. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "fuzz/input.hpp"

namespace satchel::fuzz {

/// 4096 bytes that follow from a number: zeros from 0, noise from all others below 2^8, and the
/// same with one byte changed from those above.
std::string page_of(std::uint32_t what);

/// A stream: what each of the input's bytes stands for, up to one of 0xff or the end.
/// At most `longest_stretched` bytes and one piece more.
std::string stretched(Input& input);
inline constexpr std::size_t longest_stretched = 1U << 20;

}  // namespace satchel::fuzz
