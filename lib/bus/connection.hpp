// Inside of Bus, for this folder only (it includes sd-bus): the connection and its pump, kept alive
// by whoever still has a call under way. Loop thread only.
#pragma once

#include <systemd/sd-bus.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/handle.hpp"
#include "bus/bus.hpp"

namespace satchel {

using BusSlot = Handle<sd_bus_slot, sd_bus_slot_unref>;

/// Property changes of one object that nobody was told of yet.
struct Changes {
  virtual ~Changes() = default;
  virtual void flush() = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::any_io_executor executor, BusListener listener);
  ~Connection();

  void open_system();
  void open_address(const std::string& address);
  /// Starts the pump; once, after opening.
  void start();
  /// Fails all that is under way and disconnects. Safe to call again.
  void close();

  sd_bus* get() const { return bus_.get(); }
  const boost::asio::any_io_executor& executor() const { return executor_; }
  bool open() const { return bus_ != nullptr; }

  Task<Message> send(Message call, std::chrono::microseconds timeout);
  Match match(const std::string& rule, std::function<void(Message)> heard);

  /// Has changes->flush() called when this turn of the loop is over, if it still exists then.
  void flush_later(std::weak_ptr<Changes> changes);
  void flush_changes();

  /// After anything was queued outside of the pump: it sends the rest and learns new timeouts.
  void wake();
  void trouble(const std::string& what) const;

  static int checked(int result, const char* doing, const std::string& object);

 private:
  struct PendingCall;

  Task<void> pump();
  void await_descriptor(boost::asio::posix::descriptor_base::wait_type what, bool& awaited);
  void lose(int error);
  void fail_pending(int error);
  static int on_reply(sd_bus_message* message, void* userdata, sd_bus_error* error);

  boost::asio::any_io_executor executor_;
  BusListener listener_;
  Handle<sd_bus, sd_bus_unref> bus_;
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer timer_;
  bool awaits_input_ = false;
  bool awaits_output_ = false;
  std::set<PendingCall*> pending_;
  std::vector<std::weak_ptr<Changes>> changes_;
};

}  // namespace satchel
