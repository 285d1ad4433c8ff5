#include "fakes/fake_plugs.hpp"

#include <utility>

namespace satchel::fakes {

void FakePlugs::start(Listener listener) {
  listener_ = std::move(listener);
  for (const auto& [node, plug] : present_) listener_.present(plug);
}

void FakePlugs::stop() { listener_ = {}; }

void FakePlugs::plug(Plug device) {
  device.disk_sequence = ++disk_sequence_;
  if (device.sysfs.empty()) device.sysfs = "/sys/devices/fake" + device.node;
  present_[device.node] = device;
  if (listener_.present) listener_.present(std::move(device));
}

void FakePlugs::announce_again(const std::string& node) {
  if (listener_.present) listener_.present(present_.at(node));
}

void FakePlugs::unplug(const std::string& node) {
  present_.erase(node);
  if (listener_.absent) listener_.absent(node);
}

}  // namespace satchel::fakes
