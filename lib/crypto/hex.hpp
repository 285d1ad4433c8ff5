// Lower-case hexadecimal text of bytes, as the device format writes digests and keys.
// Values only; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace satchel {

std::string to_hex(std::span<const std::uint8_t> bytes);
/// Fills `out` when `text` is exactly its lower-case hexadecimal form; otherwise false.
[[nodiscard]] bool from_hex(std::string_view text, std::span<std::uint8_t> out);

}  // namespace satchel
