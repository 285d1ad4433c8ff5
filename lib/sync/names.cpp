#include "sync/names.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "sync/path.hpp"

namespace satchel::sync {
namespace {

constexpr std::size_t longest_extension = 32;
constexpr std::size_t longest_capsule = 64;
constexpr std::int64_t second = 1'000'000'000;

/// The first bytes of a text, not ending within a UTF-8 character.
std::string_view front_of(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0U) == 0x80) --most;
  return text.substr(0, most);
}

/// What a capsule is called is free text: no part of it may end the name or hide it.
std::string plain(std::string_view capsule) {
  std::string out(front_of(capsule, longest_capsule));
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f ||
        std::string_view("/\\:*?\"<>|()").find(c) != std::string_view::npos)
      c = '_';
  }
  return out.empty() ? "capsule" : out;
}

struct Parts {
  std::string_view stem;
  std::string_view extension;  // with its dot
};

Parts split(std::string_view name) {
  std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() - dot > longest_extension)
    return {name, {}};
  if (const auto stem = name.substr(0, dot); stem.ends_with(".tar") && stem.size() > 4) dot -= 4;
  return {name.substr(0, dot), name.substr(dot)};
}

std::string with_insertion(std::string_view name, std::string_view insertion) {
  const auto [stem, extension] = split(name);
  const std::size_t taken = insertion.size() + extension.size();
  std::string out(front_of(stem, longest_name - std::min(taken, longest_name)));
  out += insertion;
  out += extension;
  return out;
}

}  // namespace

std::string moment_words(UnixNanos when) {
  const std::time_t seconds = when.value / second;
  std::tm local{};
  std::array<char, 32> text{};
  if (::localtime_r(&seconds, &local) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%d %H.%M", &local) == 0)
    return "an unknown time";
  return text.data();
}

std::optional<UnixNanos> parse_moment(std::string_view words) {
  std::tm local{};
  const std::string text(words);
  char rest = 0;
  if (text.size() != 16 ||
      std::sscanf(text.c_str(), "%4d-%2d-%2d %2d.%2d%c", &local.tm_year, &local.tm_mon,
                  &local.tm_mday, &local.tm_hour, &local.tm_min, &rest) != 5)
    return std::nullopt;
  local.tm_year -= 1900;
  local.tm_mon -= 1;
  local.tm_isdst = -1;
  const std::time_t seconds = std::mktime(&local);
  if (seconds < 0) return std::nullopt;
  const UnixNanos out(static_cast<std::int64_t>(seconds) * second);
  if (moment_words(out) != words) return std::nullopt;  // "2026-02-31 25.99"
  return out;
}

std::string beside_name(std::string_view name, std::string_view capsule, std::string_view moment,
                        unsigned attempt) {
  std::string insertion = " (from " + plain(capsule) + ", " + std::string(moment);
  if (attempt > 1) insertion += ", " + std::to_string(attempt);
  return with_insertion(name, insertion + ")");
}

std::string numbered_name(std::string_view name, unsigned number) {
  return with_insertion(name, " (" + std::to_string(number) + ")");
}

}  // namespace satchel::sync
