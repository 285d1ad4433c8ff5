// Said once by one thread, waited for by others.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace satchel {

/// Thread-safe.
class Signal {
 public:
  void give() {
    {
      const std::lock_guard lock(mutex_);
      given_ = true;
    }
    changed_.notify_all();
  }

  /// Whether it was given, once it is or the stop is requested. Blocks.
  bool wait(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    return changed_.wait(lock, stop, [this] { return given_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool given_ = false;
};

}  // namespace satchel
