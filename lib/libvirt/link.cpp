#include "libvirt/link.hpp"

#include <libvirt/virterror.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <chrono>
#include <cstring>

#include "libvirt/event_loop.hpp"
#include "libvirt/events.hpp"
#include "libvirt/fault.hpp"

namespace satchel {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Posts to the loop for as long as the link listens. Callbacks may come at any time and from
/// libvirt's thread; close() waits for the one that is just posting.
struct Link::Mouth {
  std::mutex guard;
  Link* link = nullptr;  ///< null after close()

  void say(std::shared_ptr<Mouth> self, std::function<void(Link&)> what) {
    std::lock_guard lock(guard);
    if (!link) return;
    asio::post(link->loop_, [self = std::move(self), what = std::move(what)] {
      // Only the loop thread clears it.
      if (self->link) what(*self->link);
    });
  }
};

namespace {

DomainId id_of(virDomainPtr domain) {
  std::array<std::uint8_t, 16> bytes{};
  virDomainGetUUID(domain, bytes.data());
  return DomainId(Uuid(bytes));
}

}  // namespace

/// An open connection with its subscriptions; libvirt keeps a connection open while it has any.
struct Link::Connection {
  virConnectPtr handle = nullptr;
  int lifecycle = -1;
  int io_error = -1;
  int block_job = -1;

  using Opaque = std::shared_ptr<Mouth>;
  static Opaque& mouth(void* opaque) { return *static_cast<Opaque*>(opaque); }
  static void forget(void* opaque) { delete static_cast<Opaque*>(opaque); }

  static void on_lifecycle(virConnectPtr, virDomainPtr domain, int event, int detail,
                           void* opaque) {
    auto told = guest_event(id_of(domain), event, detail);
    if (!told) return;
    auto& to = mouth(opaque);
    to->say(to, [told = std::move(*told)](Link& link) { link.deliver(told); });
  }

  static void on_io_error(virConnectPtr, virDomainPtr domain, const char* path, const char* alias,
                          int, const char* reason, void* opaque) {
    std::string text = alias ? alias : "a disk";
    if (path && *path) text += " (" + std::string(path) + ")";
    if (reason && *reason) text += ": " + std::string(reason);
    auto& to = mouth(opaque);
    to->say(to, [id = id_of(domain), text = std::move(text)](Link& link) {
      link.note_io_error(id, text);
    });
  }

  static void on_block_job(virConnectPtr, virDomainPtr domain, const char* disk, int, int status,
                           void* opaque) {
    const auto end = block_job_end(status);
    if (!end || !disk) return;
    auto& to = mouth(opaque);
    to->say(to, [id = id_of(domain), target = std::string(disk), end = *end](Link& link) {
      link.deliver_end(id, target, end);
    });
  }

  static void on_close(virConnectPtr, int, void* opaque) {
    auto& to = mouth(opaque);
    to->say(to, [](Link& link) { link.lost(); });
  }

  Connection(const std::string& uri, const Opaque& to) {
    handle = virConnectOpen(uri.c_str());
    if (!handle) throw_libvirt_fault("reach libvirt at", uri);
    subscribe(uri, to);
  }

  void subscribe(const std::string& uri, const Opaque& to) {
    lifecycle = virConnectDomainEventRegisterAny(handle, nullptr, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                                 VIR_DOMAIN_EVENT_CALLBACK(&on_lifecycle),
                                                 new Opaque(to), &forget);
    io_error = virConnectDomainEventRegisterAny(
        handle, nullptr, VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON,
        VIR_DOMAIN_EVENT_CALLBACK(&on_io_error), new Opaque(to), &forget);
    block_job = virConnectDomainEventRegisterAny(handle, nullptr, VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2,
                                                 VIR_DOMAIN_EVENT_CALLBACK(&on_block_job),
                                                 new Opaque(to), &forget);
    if (lifecycle < 0 || io_error < 0 || block_job < 0) {
      auto fault = libvirt_fault("hear of machines from", uri);
      leave();
      throw fault;
    }
    // Drivers that live in this process have no connection to lose and refuse both.
    if (virConnectRegisterCloseCallback(handle, &on_close, new Opaque(to), &forget) == 0)
      virConnectSetKeepAlive(handle, 5, 6);
  }

  void leave() {
    virConnectUnregisterCloseCallback(handle, &on_close);
    if (lifecycle >= 0) virConnectDomainEventDeregisterAny(handle, lifecycle);
    if (io_error >= 0) virConnectDomainEventDeregisterAny(handle, io_error);
    if (block_job >= 0) virConnectDomainEventDeregisterAny(handle, block_job);
    virConnectClose(handle);
    handle = nullptr;
  }

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (handle) leave();
  }
};

Link::Link(std::string uri, asio::any_io_executor loop, Lanes& lanes)
    : uri_(std::move(uri)),
      loop_(std::move(loop)),
      lanes_(lanes),
      mouth_(std::make_shared<Mouth>()) {
  mouth_->link = this;
}

std::shared_ptr<virConnect> Link::connection() {
  std::lock_guard turn(opening_);
  if (connection_ && virConnectIsAlive(connection_.get()) == 1) return connection_;
  connection_.reset();
  try {
    connection_ = open();
  } catch (const Fault&) {
    mouth_->say(mouth_, [](Link& link) { link.lost(); });
    throw;
  }
  mouth_->say(mouth_, [](Link& link) { link.regained(); });
  return connection_;
}

std::shared_ptr<virConnect> Link::open() {
  need_libvirt_event_loop();
  auto owner = std::make_shared<Connection>(uri_, mouth_);
  return std::shared_ptr<virConnect>(owner, owner->handle);
}

void Link::watch(DomainId id, std::function<void(GuestEvent)> watcher) {
  if (watcher)
    watchers_[id] = std::move(watcher);
  else
    watchers_.erase(id);
}

void Link::watch_block_jobs(DomainId id, const std::string& target,
                            std::function<void(BlockJobEnd)> watcher) {
  if (watcher)
    job_watchers_[{id, target}] = std::move(watcher);
  else
    job_watchers_.erase({id, target});
}

void Link::close() {
  {
    std::lock_guard lock(mouth_->guard);
    mouth_->link = nullptr;
  }
  if (auto pause = pause_.lock()) pause->cancel();
}

void Link::deliver(GuestEvent event) {
  if (const auto known = io_errors_.find(event.id); known != io_errors_.end()) {
    if (event.what == GuestEvent::What::paused_by_io_error) event.detail = known->second;
    io_errors_.erase(known);
  }
  if (const auto watcher = watchers_.find(event.id); watcher != watchers_.end()) {
    const auto tell = watcher->second;
    tell(std::move(event));
  } else if (on_event_) {
    on_event_(std::move(event));
  }
}

void Link::note_io_error(DomainId id, std::string reason) { io_errors_[id] = std::move(reason); }

void Link::deliver_end(DomainId id, const std::string& target, BlockJobEnd end) {
  const auto watcher = job_watchers_.find({id, target});
  if (watcher == job_watchers_.end()) return;
  const auto tell = watcher->second;
  tell(end);
}

void Link::lost() {
  if (!up_) return;
  up_ = false;
  if (on_change_) on_change_(false);
  asio::co_spawn(
      loop_, [self = shared_from_this()] { return self->reconnect(); }, asio::detached);
}

void Link::regained() {
  if (up_) return;
  up_ = true;
  if (auto pause = pause_.lock()) pause->cancel();
  if (on_change_) on_change_(true);
}

Task<void> Link::reconnect() {
  const auto self = shared_from_this();
  const auto timer = std::make_shared<asio::steady_timer>(loop_);
  pause_ = timer;
  auto pause = 250ms;
  while (mouth_->link && !up_) {
    timer->expires_after(pause);
    boost::system::error_code interrupted;
    co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, interrupted));
    if (!mouth_->link || up_) break;
    pause = std::min(pause * 2, 30'000ms);
    try {
      auto opening = offload(lanes_.quick, [self] { self->connection(); });
      co_await std::move(opening);
    } catch (const Fault&) {
      // Still away: told by lost() already, and tried again after the next pause.
    }
  }
}

}  // namespace satchel
