// How long parts of a work took, one after the other. By the monotonic clock; not thread-safe.
#pragma once

#include <chrono>
#include <utility>

namespace satchel {

class Watch {
 public:
  /// Seconds since it was made or last asked.
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(since_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

}  // namespace satchel
