// Devices that come and go as a test says: a small Plugs with the real one's promises. Everything
// happens at once, on the thread that calls.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "ports/plugs.hpp"

namespace satchel::fakes {

class FakePlugs : public Plugs {
 public:
  void start(Listener listener) override;
  /// The daemon that listened is no more.
  void stop();

  /// A device of ours is there now; its disk sequence is given anew.
  void plug(Plug device);
  /// udev tells of it once more, with nothing changed.
  void announce_again(const std::string& node);
  void unplug(const std::string& node);

 private:
  Listener listener_;
  std::map<std::string, Plug> present_;
  std::uint64_t disk_sequence_ = 0;
};

}  // namespace satchel::fakes
