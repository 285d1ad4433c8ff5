// Text for people: tables whose columns line up and fit the screen, tones where the screen has
// colours. Pure, except Screen::of.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

namespace satchel::cli {

/// What the text goes to.
struct Screen {
  bool terminal = false;
  bool colours = false;
  int width = 0;  ///< columns; 0: as wide as it takes

  /// Of a file descriptor. No colours when $NO_COLOR is set (https://no-color.org) or $TERM is
  /// "dumb".
  static Screen of(int fd);
};

enum class Tone { plain, heading, good, warning, bad, faint };

/// The text within the tone's colour, where the screen has any.
std::string toned(const std::string& text, Tone tone, const Screen& screen);

/// Without control characters: names come from foreign devices, and a terminal obeys escapes.
std::string printable(std::string_view text);
/// Columns that a terminal uses for it.
int display_width(std::string_view text);
/// At most that wide, with "…" where something was cut off.
std::string shortened(const std::string& text, int width);
/// Broken between words so that it fits the width, the first line beginning at column `at`, further
/// lines indented by so much; 0: not broken.
std::string wrapped(const std::string& text, int width, int at, int indent);

/// "2026-11-22 10:04", local time; "-" for 0.
std::string local_time(UnixMicros time);
/// "-" for an empty text.
std::string or_dash(std::string text);

class Table {
 public:
  enum class Align { left, right };
  /// What a column does on a narrow screen. Only the last one may wrap; the first to be left out
  /// is the first that may.
  enum class Fit { keep, shrink, leave_out, wrap };
  struct Column {
    std::string title;
    Align align = Align::left;
    Fit fit = Fit::keep;
  };
  struct Cell {
    std::string text;
    Tone tone = Tone::plain;
    Cell(std::string words, Tone how = Tone::plain) : text(std::move(words)), tone(how) {}
    Cell(const char* words) : text(words) {}
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// A cell for each column.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  /// Lines, the titles first. Columns give way as they may where the screen is too narrow.
  std::string render(const Screen& screen) const;

 private:
  /// 0 for a column that is left out.
  std::vector<int> widths(const Screen& screen) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace satchel::cli
