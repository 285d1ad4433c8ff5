// A machine that was packed on anvil while it ran, and runs there on from its device.
#pragma once

#include <functional>
#include <string>

#include "runtime/host_world.hpp"

namespace satchel::test {

struct RunningWorld : HostWorld {
  DomainId guest;
  CapsuleId capsule;

  /// `counted`: by the guest, since it was packed. `adjust` comes before anvil's daemon is started.
  explicit RunningWorld(
      int counted, const std::function<void(HostWorld&)>& adjust = [](HostWorld&) {});
  /// Checks that nothing was seen that must never be.
  ~RunningWorld();

  void tick(TestHost& host, int times = 1);
  std::string eject(TestHost& host);
  std::string eject() { return eject(anvil); }
};

}  // namespace satchel::test
