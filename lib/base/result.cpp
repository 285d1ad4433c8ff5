#include "base/result.hpp"

#include <algorithm>
#include <string_view>

namespace satchel {

namespace {

// Mistakes quote what they were found in, which may be anybody's bytes and any number of them.
constexpr std::size_t most_told = 32;
constexpr std::size_t longest_told = 200;

std::string printable(std::string_view text) {
  std::string out(text.substr(0, longest_told));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  if (text.size() > longest_told) out += "...";
  return out;
}

}  // namespace

std::string to_string(const Mistakes& mistakes) {
  std::string out;
  for (std::size_t i = 0; i < std::min(mistakes.size(), most_told); ++i) {
    if (!out.empty()) out += "; ";
    if (!mistakes[i].where.empty()) out += printable(mistakes[i].where) + ": ";
    out += printable(mistakes[i].what);
  }
  if (mistakes.size() > most_told)
    out += "; and " + std::to_string(mistakes.size() - most_told) + " more";
  return out;
}

}  // namespace satchel
