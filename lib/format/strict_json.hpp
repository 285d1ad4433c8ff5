// JSON (RFC 8259) as this format allows it: integers only, no member twice, limited in depth and
// number, and one way alone to write a value. Inside lib/format only. Pure; any thread.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace satchel::format {

inline constexpr std::size_t deepest_json = 16;
inline constexpr std::size_t most_json_values = 1U << 17;

/// One value and nothing after it. `limit` is in bytes.
Result<nlohmann::json> parse_strictly(std::string_view text, std::size_t limit);

/// Members sorted by the bytes of their names, no whitespace, UTF-8 as it is.
std::string canonical(const nlohmann::json& value);

}  // namespace satchel::format
