#include "progress.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace satchel::cli {

namespace {

constexpr int longest_bar = 30;
constexpr int shortest_bar = 8;

std::string bar(double progress, int inside) {
  const int full = static_cast<int>(std::lround(std::clamp(progress, 0.0, 1.0) * inside));
  std::string out(static_cast<std::size_t>(full), '=');
  if (full < inside) out += '>';
  out.resize(static_cast<std::size_t>(inside), ' ');
  return "[" + out + "]";
}

std::string percent(double progress) {
  auto digits = std::to_string(static_cast<int>(std::clamp(progress, 0.0, 1.0) * 100));
  return std::string(3 - digits.size(), ' ') + digits + "%";
}

}  // namespace

std::string duration(std::uint64_t microseconds) {
  const auto seconds = (microseconds + 999'999) / 1'000'000;
  if (seconds < 60) return std::to_string(seconds) + " s";
  const auto minutes = seconds / 60;
  if (minutes < 60) return std::to_string(minutes) + " min " + std::to_string(seconds % 60) + " s";
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

std::string progress_line(const JobView& job, int width) {
  const auto step = printable(job.step.empty() ? job.operation : job.step);
  std::vector<std::string> extras;
  if (job.total.value != 0)
    extras.push_back(to_string(job.done) + " of " + to_string(job.total));
  else if (job.done.value != 0)
    extras.push_back(to_string(job.done));
  if (job.rate != 0) extras.push_back(to_string(ByteCount(job.rate)) + "/s");
  if (job.remaining_us != 0) extras.push_back(duration(job.remaining_us) + " left");

  const auto line = [&](int inside) {
    auto out = step + " " + bar(job.progress, inside) + " " + percent(job.progress);
    for (const auto& extra : extras) out += "  " + extra;
    return out;
  };
  for (;;) {
    const int spare = width - display_width(line(0));
    if (spare >= shortest_bar) return line(std::min(spare, longest_bar));
    if (extras.empty()) break;
    // The first says most: bytes; then the rate; the time left goes last on, first off.
    extras.pop_back();
  }
  return shortened(step + " " + percent(job.progress), width);
}

void ProgressDisplay::show(const JobView& job) {
  if (!screen_.terminal) {
    if (job.step != step_ && !job.step.empty())
      out_ << "  " << printable(job.step) << '\n' << std::flush;
    step_ = job.step;
    return;
  }
  // One column is kept free: a full line would wrap on some terminals.
  out_ << "\r\033[K" << progress_line(job, screen_.width - 1) << std::flush;
  drawn_ = true;
}

void ProgressDisplay::say(const std::string& sentence) {
  clear();
  out_ << sentence << '\n' << std::flush;
}

void ProgressDisplay::clear() {
  if (drawn_) out_ << "\r\033[K" << std::flush;
  drawn_ = false;
}

}  // namespace satchel::cli
