#include "base/plain_text.hpp"

#include <algorithm>

namespace satchel {

namespace {

/// The length of the UTF-8 character (RFC 3629) that `text` begins with; 0 when it is none.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t n) { return static_cast<unsigned char>(text[n]); };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (std::size_t n = 1; n < length; ++n)
    if ((at(n) & 0xc0U) != 0x80) return 0;
  const unsigned second = at(1);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) ||
      (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90))
    return 0;
  return length;
}

/// C0, DEL and C1 controls, and the marks that turn the direction of writing.
bool is_control(std::string_view character) {
  const auto at = [&](std::size_t n) { return static_cast<unsigned char>(character[n]); };
  if (character.size() == 1) return at(0) < 0x20 || at(0) == 0x7f;
  if (character.size() == 2) return at(0) == 0xc2 && at(1) < 0xa0;
  if (character.size() == 3 && at(0) == 0xe2)
    return (at(1) == 0x80 &&
            (at(2) == 0x8e || at(2) == 0x8f || (at(2) >= 0xa8 && at(2) <= 0xae))) ||
           (at(1) == 0x81 && at(2) >= 0xa6 && at(2) <= 0xa9);
  return false;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string escaped(std::string_view text, std::string_view backslash) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view piece = text.substr(0, length == 0 ? 1 : length);
    if (piece == "\\") {
      out += backslash;
    } else if (length > 0 && !is_control(piece)) {
      out += piece;
    } else {
      for (const char c : piece) {
        const auto byte = static_cast<unsigned char>(c);
        out += "\\x";
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
      }
    }
    text.remove_prefix(piece.size());
  }
  return out;
}

std::string plain_text(std::string text, std::size_t longest) {
  const bool is_cut = text.size() > longest;
  if (is_cut) {
    auto end = longest;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) --end;
    text.resize(end);  // no character is cut in two
  }
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~'; };
  if (!std::ranges::all_of(text, is_plain)) {
    std::ranges::replace_if(
        text, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
    text = escaped(text, "\\");
  }
  if (is_cut) text += "…";
  return text;
}

}  // namespace satchel
