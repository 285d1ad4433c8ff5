// How far a job is. The work's threads report bytes, the loop reads a figure that never falls.
// Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "base/ids.hpp"
#include "base/progress.hpp"

namespace satchel {

class Meter {
 public:
  /// A job of known size: the sum of its steps' bytes. May be called again with a better estimate.
  void expect(ByteCount total);
  /// So much is to come on top of what was counted by now.
  void expect_more(ByteCount to_come);
  /// Begins a step; what the sink is told from now on counts on top of the steps before.
  ProgressSink begin(std::string step);
  /// For work that goes on beside the steps: what this sink is told counts on top of them.
  ProgressSink beside();
  /// Names a step without bytes.
  void name(std::string step) { begin(std::move(step)); }

  struct Reading {
    std::string step;
    ByteCount done;
    ByteCount total;
    std::uint64_t rate;  ///< bytes a second over about the last two seconds
    std::uint64_t remaining_us;
    double progress;
  };
  /// Loop thread; `now` is a monotonic instant.
  Reading read(std::chrono::steady_clock::time_point now);

 private:
  std::uint64_t counted() const;

  std::mutex mutex_;
  std::string step_;
  std::uint64_t before_ = 0;  ///< bytes of the steps that ended
  std::uint64_t in_step_ = 0;
  std::deque<std::uint64_t> beside_;  ///< bytes, of each such work
  std::uint64_t total_ = 0;
  double shown_ = 0;
  std::uint64_t mark_bytes_ = 0;
  std::chrono::steady_clock::time_point mark_{};
  double rate_ = 0;
};

}  // namespace satchel
