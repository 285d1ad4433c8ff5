// Lets a stop request end a poll(2): one descriptor that becomes readable when it comes.
// Lives on the stack of the thread that polls; the request may come from any thread.
#pragma once

#include <functional>
#include <stop_token>

#include "base/handle.hpp"

namespace satchel {

/// Readable (POLLIN) from the stop request on. Throws Fault when the process has no descriptor
/// left.
class StopWake {
 public:
  explicit StopWake(std::stop_token stop);
  int fd() const { return event_.get(); }

 private:
  UniqueFd event_;
  std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace satchel
