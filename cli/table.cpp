#include "table.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace satchel::cli {

namespace {

constexpr int gap = 2;
constexpr int narrowest = 6;
constexpr int narrowest_wrap = 20;

/// The next character of UTF-8 text and how many bytes it takes; a broken byte stands for itself.
std::pair<char32_t, std::size_t> next_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80       ? 1
                             : first >> 5 == 6  ? 2
                             : first >> 4 == 14 ? 3
                             : first >> 3 == 30 ? 4
                                                : 0;
  if (length == 0 || length > text.size()) return {0xFFFD, 1};
  char32_t character = length == 1 ? first : first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (byte(i) >> 6 != 2) return {0xFFFD, 1};
    character = character << 6 | (byte(i) & 0x3FU);
  }
  return {character, length};
}

int columns_of(char32_t c) {
  if ((c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) || (c >= 0xFE00 && c <= 0xFE0F))
    return 0;
  const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
                    (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                    (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
  return wide ? 2 : 1;
}

bool is_control(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029;
}

const char* colour(Tone tone) {
  switch (tone) {
    case Tone::plain:
      return "";
    case Tone::heading:
      return "\033[1m";
    case Tone::good:
      return "\033[32m";
    case Tone::warning:
      return "\033[33m";
    case Tone::bad:
      return "\033[31m";
    case Tone::faint:
      return "\033[2m";
  }
  return "";
}

}  // namespace

Screen Screen::of(int fd) {
  Screen screen;
  screen.terminal = isatty(fd) == 1;
  if (!screen.terminal) return screen;
  const char* term = std::getenv("TERM");
  const char* no_colour = std::getenv("NO_COLOR");
  screen.colours = !(no_colour && *no_colour) && term && std::string_view(term) != "dumb";
  winsize size{};
  screen.width = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  return screen;
}

std::string toned(const std::string& text, Tone tone, const Screen& screen) {
  if (!screen.colours || tone == Tone::plain || text.empty()) return text;
  return colour(tone) + text + "\033[0m";
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto [character, length] = next_character(text);
    if (is_control(character) || character == 0xFFFD)
      out += '?';
    else
      out += text.substr(0, length);
    text.remove_prefix(length);
  }
  return out;
}

int display_width(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const auto [character, length] = next_character(text);
    width += columns_of(character);
    text.remove_prefix(length);
  }
  return width;
}

std::string shortened(const std::string& text, int width) {
  if (display_width(text) <= width) return text;
  std::string out;
  int used = 1;  // the dots
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto [character, length] = next_character(rest);
    if (used + columns_of(character) > width) break;
    used += columns_of(character);
    out += rest.substr(0, length);
    rest.remove_prefix(length);
  }
  return out + "…";
}

std::string wrapped(const std::string& text, int width, int at, int indent) {
  if (width <= 0) return text;
  std::string out;
  int column = at;
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(' '), rest.size());
    const auto word = rest.substr(0, end);
    const int wide = display_width(word);
    if (!out.empty()) {
      if (column + 1 + wide > width) {
        out += '\n' + std::string(static_cast<std::size_t>(indent), ' ');
        column = indent;
      } else {
        out += ' ';
        ++column;
      }
    }
    out += word;
    column += wide;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

std::string local_time(UnixMicros time) {
  if (time.value == 0) return "-";
  const auto seconds = static_cast<std::time_t>(time.value / 1'000'000);
  std::tm parts{};
  if (!localtime_r(&seconds, &parts)) return "-";
  char text[32];
  const auto length = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
  return std::string(text, length);
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::vector<int> Table::widths(const Screen& screen) const {
  std::vector<int> widths;
  int total = -gap;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    int width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row.at(i).text));
    if (screen.width > 0 && columns_[i].fit == Fit::wrap)
      width = std::min(width, std::max(narrowest_wrap, screen.width - total - gap));
    widths.push_back(width);
    total += width + gap;
  }
  if (screen.width <= 0) return widths;
  for (auto i = columns_.size(); i-- > 0 && total > screen.width;) {
    if (columns_[i].fit != Fit::leave_out) continue;
    total -= widths[i] + gap;
    widths[i] = 0;
  }
  // The widest of those that may shrink gives way first.
  while (total > screen.width) {
    int* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i)
      if (columns_[i].fit == Fit::shrink && widths[i] > narrowest &&
          (!widest || widths[i] > *widest))
        widest = &widths[i];
    if (!widest) break;
    --*widest;
    --total;
  }
  return widths;
}

std::string Table::render(const Screen& screen) const {
  const auto widths = this->widths(screen);
  std::string out;
  int at = 0;
  const auto append = [&](std::size_t i, const std::string& cell, Tone tone) {
    if (widths[i] == 0) return;
    const bool last = i + 1 == columns_.size();
    const auto text = columns_[i].fit == Fit::wrap ? wrapped(cell, at + widths[i], at, at)
                                                   : shortened(cell, widths[i]);
    const auto padding = static_cast<std::size_t>(std::max(0, widths[i] - display_width(text)));
    const bool right = columns_[i].align == Align::right;
    if (right) out.append(padding, ' ');
    out += toned(text, tone, screen);
    if (!last) out.append(gap + (right ? 0 : padding), ' ');
    at += widths[i] + gap;
  };
  for (std::size_t i = 0; i < columns_.size(); ++i) append(i, columns_[i].title, Tone::heading);
  out += '\n';
  for (const auto& row : rows_) {
    at = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i) append(i, row[i].text, row[i].tone);
    out += '\n';
  }
  return out;
}

}  // namespace satchel::cli
