// How fast work in the background may write to a device, so that a running machine's own reads come
// through; lifted when somebody waits for it. Any thread.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "base/ids.hpp"

namespace satchel {

class Pace {
 public:
  /// Bytes a second; 0: any.
  explicit Pace(ByteCount rate) : rate_(rate.value) {}

  /// Takes note of what was written, and waits until so much may have been. A stop ends the wait.
  void spend(ByteCount amount, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    if (rate_ == 0) return;
    const auto now = std::chrono::steady_clock::now();
    free_at_ =
        std::max(free_at_, now) + std::chrono::nanoseconds(amount.value * 1'000'000'000 / rate_);
    changed_.wait_until(lock, stop, free_at_, [&] { return rate_ == 0; });
  }
  /// From now on as fast as can be.
  void lift() {
    const std::lock_guard lock(mutex_);
    rate_ = 0;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::uint64_t rate_;
  std::chrono::steady_clock::time_point free_at_;
};

}  // namespace satchel
