// A connection to a message bus: calls, signals and names. Thin over sd-bus, whose names it keeps;
// pumped on an Asio executor. Owned by the composition root (daemon) or by main (satchelctl).
// Loop thread only; it must be destroyed before its io_context is. Objects: bus/object.hpp.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "async/lanes.hpp"
#include "bus/bus_error.hpp"
#include "bus/message.hpp"

namespace satchel {

class Connection;

/// What happens while nobody waits for an answer. Both may be empty; called on the loop thread.
struct BusListener {
  std::function<void(std::string why)> lost;      ///< once: the connection is gone for good
  std::function<void(std::string what)> trouble;  ///< a signal or a request that failed unheard
};

/// Whom to call and how. The timeout is of the whole call; `no_timeout` waits as long as the
/// called service lives.
class BusCall {
 public:
  static constexpr std::chrono::microseconds no_timeout = std::chrono::microseconds::max();

  BusCall(std::string service, std::string object, std::string face, std::string method)
      : destination(std::move(service)),
        path(std::move(object)),
        interface(std::move(face)),
        member(std::move(method)) {}

  std::string destination;
  std::string path;
  std::string interface;
  std::string member;
  std::chrono::microseconds timeout = std::chrono::seconds(25);
  Interaction interaction = Interaction::refused;
};

/// A subscription to signals: ends when it is destroyed.
class Match {
 public:
  Match() = default;

 private:
  friend class Connection;
  explicit Match(std::shared_ptr<void> slot) : slot_(std::move(slot)) {}
  std::shared_ptr<void> slot_;
};

class Bus {
 public:
  /// The system bus, or what DBUS_SYSTEM_BUS_ADDRESS says. Throws BusError when there is none.
  Bus(boost::asio::any_io_executor executor, BusListener listener);
  /// The bus at a D-Bus address ("unix:path=…").
  Bus(boost::asio::any_io_executor executor, std::string address, BusListener listener);
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;
  /// Calls under way end with a BusError; matches and objects become silent.
  ~Bus();

  const boost::asio::any_io_executor& executor() const;
  /// False once the connection is lost.
  bool open() const;

  /// Calls a method and gives the reply, to be read with Message::read. Throws BusError: what the
  /// other side answered, or that it did not. Arguments are marshalled before this returns.
  template <class... Args>
  Task<Message> call(BusCall call, const Args&... args) {
    auto message = new_method_call(call);
    message.append(args...);
    return send(std::move(message), call.timeout);
  }
  template <class... Args>
  Task<Message> call(std::string destination, std::string path, std::string interface,
                     std::string member, const Args&... args) {
    return call(
        BusCall(std::move(destination), std::move(path), std::move(interface), std::move(member)),
        args...);
  }
  Message new_method_call(const BusCall& call);
  Task<Message> send(Message call, std::chrono::microseconds timeout);

  /// org.freedesktop.DBus.Properties.Get. Name such a task before awaiting it (rule K1).
  Task<Variant> property(std::string destination, std::string path, std::string interface,
                         std::string name);
  /// org.freedesktop.DBus.Properties.GetAll
  Task<Dictionary> properties(std::string destination, std::string path, std::string interface);
  /// org.freedesktop.DBus.ObjectManager.GetManagedObjects
  Task<ManagedObjects> managed_objects(std::string destination, std::string path);

  /// Calls `heard` for each message that the rule matches ("type='signal',sender='…',…"). Calls
  /// made after this are answered after the rule is in force: subscribe, then ask. What `heard`
  /// throws goes to BusListener::trouble.
  [[nodiscard]] Match match(const std::string& rule, std::function<void(Message)> heard);

  /// Owns a well-known name; throws BusError when somebody else has it or the policy forbids it.
  Task<void> request_name(std::string name);
  /// The unique name of a name's owner; empty when nobody owns it.
  Task<std::string> name_owner(std::string name);
  /// Calls `changed` with the new owner's unique name, empty when the name was given up.
  [[nodiscard]] Match watch_name(const std::string& name,
                                 std::function<void(std::string owner)> changed);

  /// For bus/object.hpp.
  const std::shared_ptr<Connection>& connection() const { return connection_; }

 private:
  std::shared_ptr<Connection> connection_;
};

}  // namespace satchel
