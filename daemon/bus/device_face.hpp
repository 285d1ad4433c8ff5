// A device on the bus: org.satchel.Satchel1.Device. Owned by BusFaces; loop thread only.
#pragma once

#include "daemon/bus/requests.hpp"
#include "daemon/bus/shown.hpp"

namespace satchel::faces {

/// A device and what the host's view says of it elsewhere.
struct DeviceWithCapsules : DeviceView {
  DeviceWithCapsules(const DeviceView& device, const std::vector<CapsuleView>& of);
  std::vector<ObjectPath> capsules;
};

class DeviceFace {
 public:
  DeviceFace(Bus& bus, Requests& requests, const DeviceWithCapsules& view);
  void show(const DeviceWithCapsules& now) { shown_.show(now, object_); }

 private:
  Shown<DeviceWithCapsules> shown_;
  Object object_;
};

}  // namespace satchel::faces
