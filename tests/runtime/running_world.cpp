#include "runtime/running_world.hpp"

#include <catch2/catch.hpp>

namespace satchel::test {

RunningWorld::RunningWorld(int counted, const std::function<void(HostWorld&)>& adjust) {
  adjust(*this);
  anvil.start();
  anvil.plug();
  guest = anvil.machine("traveller");
  anvil.run_machine(guest);
  capsule = anvil.pack("traveller");
  tick(anvil, counted);
}

RunningWorld::~RunningWorld() { CHECK(anvil.breaches == std::vector<std::string>{}); }

void RunningWorld::tick(TestHost& host, int times) {
  for (int n = 0; n < times; ++n) host.hypervisor.tick(guest);
}

std::string RunningWorld::eject(TestHost& host) {
  return host.result([&] { return host.host().eject(capsule); });
}

}  // namespace satchel::test
