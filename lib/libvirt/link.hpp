// The connection to libvirt and what comes back over it by itself: events, its loss, its return.
// Opened at first use, opened again with growing pauses after a loss, events subscribed anew each
// time. Owned by LibvirtHypervisor and shared with its calls under way. Inner header.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "async/lanes.hpp"
#include "libvirt/handles.hpp"
#include "ports/hypervisor.hpp"

namespace satchel {

enum class BlockJobEnd { completed, failed, cancelled };

class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(std::string uri, boost::asio::any_io_executor loop, Lanes& lanes);

  /// Blocking; any thread but the loop's. The connection as it is, or a new one. Throws Fault.
  std::shared_ptr<virConnect> connection();
  const std::string& uri() const { return uri_; }
  const boost::asio::any_io_executor& loop() const { return loop_; }

  // All below on the loop thread.

  void listen(std::function<void(GuestEvent)> on_event) { on_event_ = std::move(on_event); }
  void listen_connection(std::function<void(bool)> on_change) { on_change_ = std::move(on_change); }
  /// This domain's events go to `watcher` instead of the listener; an empty one ends that.
  void watch(DomainId id, std::function<void(GuestEvent)> watcher);
  /// How block jobs on this disk end; an empty one ends that.
  void watch_block_jobs(DomainId id, const std::string& target,
                        std::function<void(BlockJobEnd)> watcher);
  /// Nothing is told any more from here on.
  void close();

 private:
  struct Mouth;
  struct Connection;

  std::shared_ptr<virConnect> open();
  void deliver(GuestEvent event);
  void note_io_error(DomainId id, std::string reason);
  void deliver_end(DomainId id, const std::string& target, BlockJobEnd end);
  void lost();
  void regained();
  Task<void> reconnect();

  const std::string uri_;
  const boost::asio::any_io_executor loop_;
  Lanes& lanes_;
  /// What libvirt's thread and the lanes hold to post to the loop.
  const std::shared_ptr<Mouth> mouth_;

  std::mutex opening_;
  std::shared_ptr<virConnect> connection_;  ///< guarded by opening_

  // The loop thread's.
  std::function<void(GuestEvent)> on_event_;
  std::function<void(bool)> on_change_;
  std::unordered_map<DomainId, std::function<void(GuestEvent)>> watchers_;
  std::unordered_map<DomainId, std::string> io_errors_;
  std::map<std::pair<DomainId, std::string>, std::function<void(BlockJobEnd)>> job_watchers_;
  std::weak_ptr<boost::asio::steady_timer> pause_;
  bool up_ = true;
};

}  // namespace satchel
