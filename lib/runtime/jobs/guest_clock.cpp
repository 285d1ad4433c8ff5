#include "runtime/jobs/guest_clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "base/fault.hpp"

namespace satchel {

namespace {

Task<void> set(Parts& parts, DomainId domain, std::string name) {
  try {
    auto setting = parts.hypervisor.set_guest_time(domain);
    if (!co_await std::move(setting))
      parts.log.debug(name + " has no guest agent; its clock stands where it was saved");
  } catch (const Fault& failure) {
    parts.log.warning(std::string(failure.what()) + "; the clock of " + name +
                      " stands where it was saved");
  }
}

}  // namespace

void set_guest_clock(Parts& parts, DomainId domain, std::string name) {
  boost::asio::co_spawn(parts.loop, set(parts, domain, std::move(name)), boost::asio::detached);
}

}  // namespace satchel
