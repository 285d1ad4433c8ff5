#include "bus/connection.hpp"

#include <fcntl.h>
#include <poll.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <string_view>

namespace satchel {

namespace asio = boost::asio;

namespace {

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);

/// sd-bus gives absolute CLOCK_MONOTONIC microseconds, which is what steady_clock counts.
asio::steady_timer::time_point as_deadline(std::uint64_t usec) {
  using Point = asio::steady_timer::time_point;
  const auto longest =
      std::chrono::duration_cast<std::chrono::microseconds>(Point::max().time_since_epoch());
  if (usec >= static_cast<std::uint64_t>(longest.count())) return Point::max();
  return Point(std::chrono::microseconds(usec));
}

std::string target_of(const Message& call) {
  return call.interface() + "." + call.member() + " of " + call.path();
}

}  // namespace

/// One call that waits for its reply; lives in the waiting coroutine.
struct Connection::PendingCall {
  PendingCall(Connection& of, Message call_message)
      : connection(of), call(std::move(call_message)), done(of.executor_) {
    done.expires_at(asio::steady_timer::time_point::max());
    connection.pending_.insert(this);
  }
  ~PendingCall() { connection.pending_.erase(this); }
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;

  Connection& connection;
  Message call;
  asio::steady_timer done;
  Message reply;
  int error = 0;
  BusSlot slot;
};

Connection::Connection(asio::any_io_executor executor, BusListener listener)
    : executor_(std::move(executor)),
      listener_(std::move(listener)),
      descriptor_(executor_),
      timer_(executor_) {}

Connection::~Connection() { close(); }

int Connection::checked(int result, const char* doing, const std::string& object) {
  if (result < 0) throw bus_error_from_errno(-result, doing, object);
  return result;
}

void Connection::open_system() {
  sd_bus* bus = nullptr;
  checked(sd_bus_open_system_with_description(&bus, "satchel"), "connect to", "the system bus");
  bus_.reset(bus);
}

void Connection::open_address(const std::string& address) {
  sd_bus* bus = nullptr;
  checked(sd_bus_new(&bus), "connect to", "the bus");
  bus_.reset(bus);
  checked(sd_bus_set_address(bus, address.c_str()), "connect to", "the bus at " + address);
  checked(sd_bus_set_bus_client(bus, 1), "connect to", "the bus at " + address);
  checked(sd_bus_start(bus), "connect to", "the bus at " + address);
}

void Connection::start() {
  const int fd = checked(sd_bus_get_fd(get()), "listen on", "the bus");
  // Two owners never share a descriptor: sd-bus keeps its own.
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (own < 0) throw fault_from_errno(errno, "listen on", "the bus");
  descriptor_.assign(own);
  asio::co_spawn(
      executor_, [self = shared_from_this()] { return self->pump(); }, asio::detached);
}

void Connection::await_descriptor(asio::posix::descriptor_base::wait_type what, bool& awaited) {
  if (awaited) return;
  awaited = true;
  descriptor_.async_wait(what, [self = shared_from_this(), &awaited](auto) {
    awaited = false;
    self->wake();
  });
}

Task<void> Connection::pump() {
  while (bus_) {
    // A handler may close the connection: keep it until this turn is over.
    const Handle<sd_bus, sd_bus_unref> bus(sd_bus_ref(get()));
    int result = 1;
    while (bus_ && result > 0) result = sd_bus_process(bus.get(), nullptr);
    if (!bus_) break;
    if (result < 0) {
      lose(-result);
      break;
    }
    const int events = sd_bus_get_events(bus.get());
    std::uint64_t usec = UINT64_MAX;
    if (events < 0 || sd_bus_get_timeout(bus.get(), &usec) < 0) continue;  // lost: process says how
    if (events & POLLIN) await_descriptor(asio::posix::descriptor_base::wait_read, awaits_input_);
    if (events & POLLOUT)
      await_descriptor(asio::posix::descriptor_base::wait_write, awaits_output_);
    timer_.expires_at(as_deadline(usec));
    co_await timer_.async_wait(quietly);
  }
}

void Connection::wake() { timer_.cancel(); }

void Connection::flush_later(std::weak_ptr<Changes> changes) {
  if (changes_.empty())
    asio::post(executor_, [self = shared_from_this()] { self->flush_changes(); });
  changes_.push_back(std::move(changes));
}

void Connection::flush_changes() {
  for (const auto& each : std::exchange(changes_, {}))
    if (const auto changes = each.lock()) changes->flush();
}

void Connection::trouble(const std::string& what) const {
  if (listener_.trouble) listener_.trouble(what);
}

void Connection::lose(int error) {
  const auto lost = listener_.lost;
  close();
  if (lost) lost(bus_error_from_errno(error, "keep", "the connection to the bus").what());
}

void Connection::close() {
  if (!bus_) return;
  listener_.lost = nullptr;
  sd_bus_flush(get());
  sd_bus_close(get());
  bus_.reset();
  boost::system::error_code ignored;  // closing can't fail in a way that matters
  descriptor_.close(ignored);
  wake();
  fail_pending(ECONNRESET);
}

void Connection::fail_pending(int error) {
  for (auto* each : pending_) {
    if (!each->reply && each->error == 0) each->error = error;
    each->slot.reset();
    each->done.cancel();
  }
}

int Connection::on_reply(sd_bus_message* message, void* userdata, sd_bus_error*) {
  auto& pending = *static_cast<PendingCall*>(userdata);
  pending.reply = Message::borrow(message);
  pending.done.cancel();
  return 1;
}

Task<Message> Connection::send(Message call, std::chrono::microseconds timeout) {
  const auto self = shared_from_this();
  PendingCall pending(*this, std::move(call));
  if (!bus_) throw bus_error_from_errno(ENOTCONN, "call", target_of(pending.call));
  const auto usec =
      timeout == BusCall::no_timeout ? UINT64_MAX : static_cast<std::uint64_t>(timeout.count());
  sd_bus_slot* slot = nullptr;
  checked(sd_bus_call_async(get(), &slot, pending.call.get(), on_reply, &pending, usec), "call",
          target_of(pending.call));
  pending.slot.reset(slot);
  wake();
  co_await pending.done.async_wait(quietly);
  if (!pending.reply) {
    const int error = pending.error != 0 ? pending.error : ECANCELED;
    throw bus_error_from_errno(error, "call", target_of(pending.call));
  }
  if (const auto* error = sd_bus_message_get_error(pending.reply.get()))
    throw BusError(error->name, "call", target_of(pending.call),
                   error->message ? error->message : "");
  co_return std::move(pending.reply);
}

namespace {

struct Subscription {
  std::shared_ptr<std::function<void(Message)>> heard;
  std::weak_ptr<Connection> connection;
  BusSlot slot;
};

int on_match(sd_bus_message* message, void* userdata, sd_bus_error*) {
  // What is listened for is said to all. A signal to one connection passes the bus by its rules
  // whoever sends it, and sd-bus takes any sender for that of a well-known name.
  const char* sender = sd_bus_message_get_sender(message);
  const bool is_of_bus = sender != nullptr && std::string_view(sender) == "org.freedesktop.DBus";
  if (sd_bus_message_get_destination(message) != nullptr && !is_of_bus) return 0;
  auto& subscription = *static_cast<Subscription*>(userdata);
  // The callback may end its own subscription.
  const auto heard = subscription.heard;
  const auto connection = subscription.connection.lock();
  try {
    (*heard)(Message::borrow(message));
  } catch (const std::exception& error) {
    if (connection) connection->trouble(error.what());
  }
  return 0;
}

}  // namespace

Match Connection::match(const std::string& rule, std::function<void(Message)> heard) {
  auto subscription = std::make_shared<Subscription>();
  subscription->heard = std::make_shared<std::function<void(Message)>>(std::move(heard));
  subscription->connection = weak_from_this();
  if (!bus_) throw bus_error_from_errno(ENOTCONN, "listen for", rule);
  sd_bus_slot* slot = nullptr;
  checked(sd_bus_add_match_async(get(), &slot, rule.c_str(), on_match, nullptr, subscription.get()),
          "listen for", rule);
  subscription->slot.reset(slot);
  wake();
  return Match(std::move(subscription));
}

}  // namespace satchel
