// Sizes and durations as people write them. Pure; any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/ids.hpp"

namespace satchel {

/// "512MiB": a whole number and B, KiB, MiB, GiB or TiB, with or without a space between. None for
/// anything else and for what does not fit 64 bits.
std::optional<ByteCount> parse_size(std::string_view text);

/// "10min": a whole number and s, min, h or d. None for anything else and beyond 10 years.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

}  // namespace satchel
