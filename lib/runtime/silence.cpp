#include "runtime/silence.hpp"

namespace satchel {

std::chrono::seconds Silence::look(const std::optional<disk::DeviceActivity>& seen,
                                   Clock::time_point now) {
  // A request that is tried again is nowhere for a moment.
  const bool waits = seen && (seen->in_flight > 0 || (before_ && before_->in_flight > 0));
  const bool same = waits && before_ && before_->completed == seen->completed;
  before_ = waits ? seen : std::nullopt;
  if (!same) since_ = now;
  return std::chrono::floor<std::chrono::seconds>(now - since_);
}

}  // namespace satchel
