// The computer's sleep, by logind: held off while somebody has a reason, and told of. Owned by the
// composition root, destroyed before its Bus; loop thread only. Without logind both are silent.
// https://www.freedesktop.org/wiki/Software/systemd/inhibit
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/handle.hpp"
#include "base/log.hpp"
#include "bus/bus.hpp"

namespace satchel {

class Sleep {
 public:
  struct Listener {
    std::function<void()> begins;
    std::function<void()> ended;
  };
  Sleep(Bus& bus, Log& log, Listener listener);
  Sleep(const Sleep&) = delete;
  Sleep& operator=(const Sleep&) = delete;
  ~Sleep();

  /// Keeps the computer awake ("block") until it is called with an empty reason. The reason is a
  /// sentence for people, who see it where they ask for sleep; the first one of a time is shown.
  void hold_off(const std::string& reason);

 private:
  struct Hold;
  static Task<void> take(std::shared_ptr<Hold> hold);

  std::shared_ptr<Hold> hold_;
  Match told_;
};

}  // namespace satchel
