#include "sync/report.hpp"

#include <array>
#include <cstddef>
#include <cstdio>
#include <limits>

#include "base/plain_text.hpp"

namespace satchel::sync {
namespace {

/// "12.3"
/// Has room for any number: what a worker says is foreign.
std::string fixed(double seconds) {
  std::array<char, std::numeric_limits<double>::max_exponent10 + 8> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.1f", seconds);
  return std::string(text.data(), static_cast<std::size_t>(length));
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
