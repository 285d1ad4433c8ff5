#include "format/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>

namespace satchel::format {
namespace {

constexpr std::size_t longest_name = 255;
constexpr std::size_t longest_path_part = 64;

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// The next character of UTF-8 text, taken off its front; none when it is not one.
std::optional<char32_t> take_character(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : 4;
  if (first >= 0xf8 || (first >= 0x80 && first < 0xc0) || text.size() < length) return std::nullopt;
  static constexpr std::array<char32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
  static constexpr std::array<unsigned char, 5> mask = {0, 0x7f, 0x1f, 0x0f, 0x07};
  char32_t value = first & mask[length];
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if (next >> 6 != 2) return std::nullopt;
    value = value << 6 | (next & 0x3f);
  }
  if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
    return std::nullopt;
  text.remove_prefix(length);
  return value;
}

bool is_shown_safely(char32_t c) {
  const bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f);
  const bool line_break = c == 0x2028 || c == 0x2029;
  const bool turns_direction = c == 0x061c || c == 0x200e || c == 0x200f ||
                               (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return !control && !line_break && !turns_direction;
}

bool is_path_part(std::string_view part) {
  return !part.empty() && part.size() <= longest_path_part && part.front() != '.' &&
         part.back() != '.' &&  // FAT drops it
         std::ranges::all_of(
             part, [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_reserved(std::string_view first_part) {
  const std::string name = folded(first_part);
  return name == "slots" || name == "heads" || name == "log";
}

}  // namespace

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > longest_name) return false;
  while (!text.empty()) {
    const auto c = take_character(text);
    if (!c || !is_shown_safely(*c)) return false;
  }
  return true;
}

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_disk_target(std::string_view text) {
  const std::string name = folded(text);
  return !text.empty() && text.size() <= 32 && !is_reserved(text) && name != "memory" &&
         name != "state" &&
         std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '_' || c == '-'; });
}

std::optional<std::string> wrong_with_path(std::string_view path) {
  const auto slash = path.find('/');
  const auto first = path.substr(0, slash);
  const bool parts_good =
      is_path_part(first) && (slash == path.npos || is_path_part(path.substr(slash + 1)));
  if (!parts_good)
    return "not a path of one or two parts of [A-Za-z0-9._-], up to 64 characters each, that "
           "neither begin nor end with a dot";
  if (is_reserved(first)) return "in a place that is the capsule's own";
  return std::nullopt;
}

std::string_view directory_of(std::string_view path) {
  const auto slash = path.find('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

bool is_merged_in_place(std::string_view path) {
  return path.ends_with("/image.qcow2") || epoch_of_cow(path).has_value();
}

std::optional<std::uint64_t> epoch_of_cow(std::string_view path) {
  const auto slash = path.find('/');
  if (slash == path.npos) return std::nullopt;
  auto name = path.substr(slash + 1);
  if (name == "cow.qcow2") return 1;
  if (!name.starts_with("cow-") || !name.ends_with(".qcow2")) return std::nullopt;
  name.remove_prefix(4);
  name.remove_suffix(6);
  std::uint64_t epoch = 0;
  const auto* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, epoch);
  if (error != std::errc() || stop != end || name.starts_with('0') || epoch < 2)
    return std::nullopt;
  return epoch;
}

std::string cow_path(std::string_view target, std::uint64_t epoch) {
  return std::string(target) +
         (epoch == 1 ? "/cow.qcow2" : "/cow-" + std::to_string(epoch) + ".qcow2");
}

std::string folded(std::string_view path) {
  std::string out(path);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace satchel::format
