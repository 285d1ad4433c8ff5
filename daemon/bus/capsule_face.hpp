// A capsule on the bus: org.satchel.Satchel1.Capsule. Owned by BusFaces; loop thread only.
#pragma once

#include "daemon/bus/requests.hpp"
#include "daemon/bus/shown.hpp"

namespace satchel::faces {

class CapsuleFace {
 public:
  CapsuleFace(Bus& bus, Requests& requests, const CapsuleView& view);
  void show(const CapsuleView& now) { shown_.show(now, object_); }

 private:
  Shown<CapsuleView> shown_;
  Object object_;
};

}  // namespace satchel::faces
