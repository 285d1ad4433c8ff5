// A job's progress for people: one line that is drawn again and again on a terminal, a line a step
// elsewhere. Used by the commands that start a job; one thread.
#pragma once

#include <ostream>
#include <string>

#include "runtime/view.hpp"
#include "table.hpp"

namespace satchel::cli {

/// "writing memory [=====>    ]  52%  120 MiB of 230 MiB  41 MiB/s  3 s left", at most `width`
/// columns: what matters least is left out first.
std::string progress_line(const JobView& job, int width);

/// "3 s", "4 min 10 s", "2 h 5 min"
std::string duration(std::uint64_t microseconds);

class ProgressDisplay {
 public:
  ProgressDisplay(std::ostream& out, Screen screen) : out_(out), screen_(screen) {}
  /// Leaves the screen as it should be, whatever ended the job.
  ~ProgressDisplay() { clear(); }
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void show(const JobView& job);
  /// A sentence of its own line, above the bar.
  void say(const std::string& sentence);
  void clear();

 private:
  std::ostream& out_;
  Screen screen_;
  std::string step_;
  bool drawn_ = false;
};

}  // namespace satchel::cli
