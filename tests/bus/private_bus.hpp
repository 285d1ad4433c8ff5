// A message bus of the test's own: dbus-daemon on a socket in a temporary directory, ended with the
// object; and how a test runs a coroutine to its end, with a deadline. Test thread only.
#pragma once

#include <sys/types.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "bus/bus.hpp"

namespace satchel::test {

class PrivateBus {
 public:
  PrivateBus();
  ~PrivateBus();
  PrivateBus(const PrivateBus&) = delete;
  PrivateBus& operator=(const PrivateBus&) = delete;

  const std::string& address() const { return address_; }
  const std::string& directory() const { return directory_; }
  /// From the next ReloadConfig on the bus starts this program for whoever calls the name.
  void offer(const std::string& name, const std::string& program) const;
  /// Ends the bus, as a crash of it would.
  void kill();

 private:
  std::string directory_;
  std::string address_;
  pid_t pid_ = -1;
};

inline constexpr std::chrono::seconds deadline{10};

/// Runs the loop until the task has ended, and throws what it threw, or that the deadline passed.
void run(boost::asio::io_context& io, Task<void> task);

/// Runs the loop until the condition holds; false when the deadline passed first.
bool run_until(boost::asio::io_context& io, const std::function<bool()>& condition);

/// Runs what is ready now.
inline void turn(boost::asio::io_context& io) {
  io.restart();
  io.poll();
}

}  // namespace satchel::test
