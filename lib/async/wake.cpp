#include "async/wake.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

#include "base/fault.hpp"

namespace satchel {

namespace {

UniqueFd make_event() {
  UniqueFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) throw fault_from_errno(errno, "make", "an event descriptor");
  return event;
}

}  // namespace

StopWake::StopWake(std::stop_token stop)
    : event_(make_event()), on_stop_(std::move(stop), [fd = event_.get()] {
        // Fails only when the counter is full, and then the descriptor is readable already.
        [[maybe_unused]] const int result = eventfd_write(fd, 1);
      }) {}

}  // namespace satchel
