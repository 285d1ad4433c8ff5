#include "service_manager.hpp"

#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <utility>

namespace satchel {

namespace asio = boost::asio;

namespace {

asio::awaitable<void> feed(asio::any_io_executor loop, std::chrono::microseconds interval) {
  asio::steady_timer timer(loop);
  for (;;) {
    sd_notify(0, "WATCHDOG=1");
    timer.expires_after(interval);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace

void notify_ready() { sd_notify(0, "READY=1"); }
void notify_status(const std::string& status) { sd_notify(0, ("STATUS=" + status).c_str()); }
void notify_stopping() { sd_notify(0, "STOPPING=1"); }

UniqueFd take_udev_socket() {
  UniqueFd out;
  const int count = sd_listen_fds(1);
  for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
    UniqueFd given(fd);
    if (sd_is_socket(fd, AF_NETLINK, SOCK_RAW, -1) > 0) out = std::move(given);
  }
  return out;
}

void feed_watchdog(asio::any_io_executor loop) {
  std::uint64_t period = 0;
  if (sd_watchdog_enabled(0, &period) <= 0) return;
  asio::co_spawn(loop, feed(loop, std::chrono::microseconds(period / 2)), asio::detached);
}

}  // namespace satchel
