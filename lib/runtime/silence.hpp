// How long a device has not answered: it was given something to do and has done nothing of it
// since. A slow one answers now and then. Values; one thread.
#pragma once

#include <chrono>
#include <optional>

#include "disk/device_activity.hpp"

namespace satchel {

class Silence {
 public:
  using Clock = std::chrono::steady_clock;
  /// As of now, with what was just seen of it; 0: it answers, has nothing to do, or is not known.
  std::chrono::seconds look(const std::optional<disk::DeviceActivity>& seen, Clock::time_point now);

 private:
  std::optional<disk::DeviceActivity> before_;
  Clock::time_point since_;
};

}  // namespace satchel
