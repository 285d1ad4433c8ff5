#include "sync/report.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <limits>

namespace satchel::sync {
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

/// "12.3"
/// Has room for any number: what a worker says is foreign.
std::string fixed(double seconds) {
  std::array<char, std::numeric_limits<double>::max_exponent10 + 8> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.1f", seconds);
  return std::string(text.data(), static_cast<std::size_t>(length));
}

/// With control characters and what is no UTF-8 as \x0a, and this for a backslash.
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

}  // namespace

char sign(Mark mark) {
  switch (mark) {
    case Mark::added:
      return '+';
    case Mark::changed:
      return '~';
    case Mark::removed:
      return '-';
    case Mark::attention:
      return '!';
  }
  return '!';
}

bool Report::nothing_to_do() const {
  const Counts& c = counts;
  return c.added + c.updated + c.restamped + c.trashed + c.conflicts + c.brought_back + c.kept == 0;
}

std::string summary(const Report& report) {
  const Counts& c = report.counts;
  struct Part {
    std::uint64_t count;
    const char* text;
  };
  const std::array parts{Part{c.added, "added"},
                         Part{c.updated, "updated"},
                         Part{c.restamped, "with another time or mode"},
                         Part{c.trashed, "moved to the trash"},
                         Part{c.conflicts, "in conflict"},
                         Part{c.brought_back, "brought back"},
                         Part{c.kept, "kept though deleted in the guest"},
                         Part{c.skipped, "not carried"}};
  std::string out = report.nothing_to_do() ? "nothing to do" : "";
  for (const Part& part : parts)
    if (part.count > 0)
      out += (out.empty() ? "" : ", ") + std::to_string(part.count) + " " + part.text;
  return out;
}

std::string summary(const Durations& durations) {
  struct Part {
    double seconds;
    const char* text;
  };
  const std::array parts{Part{durations.starting, "starting the reader"},
                         Part{durations.finding, "finding the folder"},
                         Part{durations.listing_guest, "listing the guest's"},
                         Part{durations.scanning_host, "listing the host's"},
                         Part{durations.planning, "comparing"},
                         Part{durations.applying, "writing"}};
  double sum = 0;
  std::string out;
  for (const Part& part : parts) {
    sum += part.seconds;
    if (part.seconds >= 0.05) out += ", " + fixed(part.seconds) + " " + part.text;
  }
  if (!out.empty()) out.replace(0, 1, ":");
  return fixed(sum) + " s" + out;
}

std::string shown(std::string_view path) { return escaped(path, "\\\\"); }
std::string harmless(std::string_view text) { return escaped(text, "\\"); }

}  // namespace satchel::sync
