// What the service tells systemd (sd_notify(3)): ready, status, alive, stopping. Does nothing when
// nobody listens. Loop thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <string>

namespace satchel {

void notify_ready();
void notify_status(const std::string& status);
void notify_stopping();

/// Feeds the watchdog from the loop at half its period, for as long as the loop turns; returns at
/// once when the unit has none.
void feed_watchdog(boost::asio::any_io_executor loop);

}  // namespace satchel
