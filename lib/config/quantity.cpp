#include "config/quantity.hpp"

#include <charconv>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace satchel {

namespace {

using Unit = std::pair<std::string_view, std::uint64_t>;

std::optional<std::uint64_t> parse(std::string_view text, std::span<const Unit> units,
                                   std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const auto& [name, factor] : units) {
    if (unit != name) continue;
    if (number > most / factor) return std::nullopt;
    return number * factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<ByteCount> parse_size(std::string_view text) {
  static constexpr Unit units[] = {
      {"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {"TiB", 1ULL << 40}};
  const auto bytes = parse(text, units, std::numeric_limits<std::uint64_t>::max());
  return bytes ? std::optional(ByteCount(*bytes)) : std::nullopt;
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
  static constexpr Unit units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86'400}};
  const auto seconds = parse(text, units, 3650ULL * 86'400);
  return seconds ? std::optional(std::chrono::seconds(*seconds)) : std::nullopt;
}

}  // namespace satchel
