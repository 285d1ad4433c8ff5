// What the service tells systemd (sd_notify(3)): ready, status, alive, stopping, and what systemd
// gives it (sd_listen_fds(3)). Does nothing when nobody listens. Loop thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <string>

#include "base/handle.hpp"

namespace satchel {

void notify_ready();
void notify_status(const std::string& status);
void notify_stopping();

/// The netlink socket of udev's events that systemd made for us (satcheld-udev.socket); none when
/// the daemon was started without. To be called once, before a child is started.
UniqueFd take_udev_socket();

/// Feeds the watchdog from the loop at half its period, for as long as the loop turns; returns at
/// once when the unit has none.
void feed_watchdog(boost::asio::any_io_executor loop);

}  // namespace satchel
