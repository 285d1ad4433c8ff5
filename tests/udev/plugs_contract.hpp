// What every Plugs promises, checked against the fake, against libudev on a made-up sysfs, and
// against the kernel and udevd with a loop device.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ports/plugs.hpp"

namespace satchel::tests {

/// A place where a test can plug devices in and out.
class PlugStage {
 public:
  virtual ~PlugStage() = default;
  virtual Plugs& plugs() = 0;
  /// Makes a device with this filesystem label appear; gives its node.
  virtual std::string insert(const std::string& label) = 0;
  virtual void remove(const std::string& node) = 0;
  /// The system announces the device again though nothing changed.
  virtual void announce_again(const std::string& node) = 0;
  /// Lets the loop run until the condition holds; false when it does not within the deadline.
  virtual bool reaches(std::function<bool()> condition) = 0;
};

/// What a listener heard.
struct Heard {
  std::map<std::string, Plug> present;
  std::vector<std::string> absent;
  int presences = 0;

  Plugs::Listener listener();
};

void check_plugs_contract(PlugStage& stage);

}  // namespace satchel::tests
