// The worker's end of the conversation: the order and its end come on standard input, a Unix
// socket; news go to standard output. Owned by main.
#pragma once

#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "sync/worker_words.hpp"

namespace satchel::worker {

class Channel {
 public:
  /// Reads the order. Throws Fault when there is none.
  sync::WorkOrder order();

  /// From here on the daemon's end, or a SIGTERM, asks for a stop; if the work has not ended a few
  /// seconds later, this process and its children are killed: nothing is lost by that.
  void watch(std::stop_source stop);

  /// Hands the daemon the socket on which it is to show the disks.
  void hand_over(int listening);

  /// Any thread. A daemon that is gone is no error here: watch() sees it.
  void tell(const sync::WorkNews& news);

 private:
  std::mutex writing_;
  std::jthread watcher_;
};

}  // namespace satchel::worker
