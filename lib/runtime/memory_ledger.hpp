// Memory that machines on their way here will use but do not yet: several capsules of one stick are
// launched at once, and each would find the same memory free. Any thread.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>

#include "base/ids.hpp"

namespace satchel {

class MemoryLedger : public std::enable_shared_from_this<MemoryLedger> {
 public:
  /// Given back when the last copy goes.
  using Promise = std::shared_ptr<const void>;

  /// How much of what the host says is free is not promised. A machine that is being restored has
  /// part of its promise already, and the host counts that part: so it is the lesser of what is
  /// free now and of what was free before the promises, less these.
  ByteCount unpromised(ByteCount free_now) const {
    const std::lock_guard lock(mutex_);
    if (promised_.value == 0) return free_now;
    const auto left = promised_ < free_before_ ? free_before_.value - promised_.value : 0;
    return std::min(free_now, ByteCount(left));
  }

  Promise promise(ByteCount memory, ByteCount free_now) {
    const std::lock_guard lock(mutex_);
    if (promised_.value == 0) free_before_ = free_now;
    promised_ = promised_ + memory;
    return Promise(new char, [self = shared_from_this(), memory](const char* token) {
      delete token;
      const std::lock_guard again(self->mutex_);
      self->promised_.value -= memory.value;
    });
  }

 private:
  mutable std::mutex mutex_;
  ByteCount promised_;
  ByteCount free_before_;  ///< when the oldest of the promises was made
};

}  // namespace satchel
