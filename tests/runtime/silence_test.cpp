// A device that does not answer: told, and not waited for without end.
#include "runtime/silence.hpp"

#include <catch2/catch.hpp>

#include "runtime/running_world.hpp"

namespace satchel::test {

namespace {

using namespace std::chrono_literals;
using disk::DeviceActivity;

}  // namespace

TEST_CASE("a device is silent from when it had something to do until it does some of it") {
  Silence silence;
  const auto begin = Silence::Clock::time_point() + 1h;
  CHECK(silence.look(DeviceActivity{7, 0}, begin) == 0s);
  CHECK(silence.look(DeviceActivity{7, 2}, begin + 100s) == 0s);
  CHECK(silence.look(DeviceActivity{7, 3}, begin + 130s) == 30s);
  CHECK(silence.look(DeviceActivity{8, 3}, begin + 140s) == 0s);
  CHECK(silence.look(DeviceActivity{8, 1}, begin + 141s) == 1s);
  CHECK(silence.look(DeviceActivity{8, 0}, begin + 150s) == 10s);  // maybe it is tried again
  CHECK(silence.look(DeviceActivity{8, 0}, begin + 151s) == 0s);
  CHECK(silence.look(DeviceActivity{8, 1}, begin + 160s) == 0s);
  CHECK(silence.look(std::nullopt, begin + 170s) == 0s);
  CHECK(silence.look(DeviceActivity{8, 1}, begin + 180s) == 0s);
}

TEST_CASE("what waits for a device that stopped answering is given up, and its user is told") {
  RunningWorld world(2, [](HostWorld& all) { all.anvil.config.device.patience = 1s; });
  auto& anvil = world.anvil;
  const auto detail = [&] { return anvil.host().view().devices.at(0).detail; };
  anvil.hypervisor.stall_save();
  SECTION("while it has nothing to do it is waited for") {
    anvil.kernel_counts(20, 0);
    const auto job = anvil.host().eject(world.capsule);
    CHECK_FALSE(
        world.loop.until([&] { return !anvil.ends.empty() && anvil.ends.back().id == job; }, 2s));
    CHECK(detail().empty());
    anvil.host().cancel(job);
    CHECK(anvil.end_of(job).result == "cancelled");
  }
  SECTION("while it does not answer it is not") {
    anvil.kernel_counts(20, 1);
    const auto job = anvil.host().eject(world.capsule);
    CHECK(anvil.until([&] { return detail().find("does not answer") != std::string::npos; }));
    const auto end = anvil.end_of(job);
    CHECK(end.message.find("has not answered for 1 seconds") != std::string::npos);
    CHECK(anvil.log.says("has not answered"));
    CHECK(anvil.until([&] { return detail().empty(); }));
  }
  CHECK(anvil.state(world.capsule) == "running");
  CHECK(anvil.counter(world.guest) == 2);
}

}  // namespace satchel::test
