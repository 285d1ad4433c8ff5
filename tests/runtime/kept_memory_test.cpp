// The memory of a guest that libvirt keeps itself, as virsh managedsave and libvirt-guests have it
// do: it goes on from there, and nothing that was asked for leaves it behind.
#include <catch2/catch.hpp>
#include <string>

#include "runtime/running_world.hpp"

namespace satchel::test {

namespace {

/// A machine that counted to two before somebody had libvirt save it.
struct KeptMemory : RunningWorld {
  KeptMemory() : RunningWorld(2) {
    const auto shown = anvil.detail(capsule);
    anvil.hypervisor.somebody_saves(guest);
    REQUIRE(anvil.until([&] { return anvil.detail(capsule) != shown; }));
  }
  std::string refused(const std::string& outcome) const {
    CHECK(outcome != "done");
    return anvil.ends.back().message;
  }
};

constexpr auto way_out = "virsh managedsave-remove ";

}  // namespace

TEST_CASE("a machine whose memory libvirt keeps is not ejected without, and goes on from there") {
  KeptMemory world;
  auto& anvil = world.anvil;
  CHECK(world.refused(anvil.result([&] { return anvil.host().eject(world.capsule); }))
            .find(way_out) != std::string::npos);
  CHECK(anvil.guest(world.guest)->has_saved_memory);
  LaunchRequest request;
  request.capsule = world.capsule;
  REQUIRE(anvil.result([&] { return anvil.host().launch(request); }) == "done");
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(anvil.counter(world.guest) == 2);
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(world.head(world.capsule).hibernation);
}

TEST_CASE("a start from kept memory that fails leaves it where it is") {
  KeptMemory world;
  auto& anvil = world.anvil;
  anvil.hypervisor.fail(FakeHypervisor::Call::restore_saved);
  LaunchRequest request;
  request.capsule = world.capsule;
  REQUIRE(world.refused(anvil.result([&] { return anvil.host().launch(request); })).find(way_out) !=
          std::string::npos);
  CHECK(anvil.guest(world.guest)->has_saved_memory);
  // The same with the daemon killed within it: what is kept is still all of it.
  anvil.hypervisor.before = [&](FakeHypervisor::Call call) {
    if (call == FakeHypervisor::Call::restore_saved) anvil.hypervisor.lose_connection();
  };
  REQUIRE(anvil.result([&] { return anvil.host().launch(request); }) != "done");
  anvil.stop();
  anvil.hypervisor.before = {};
  anvil.hypervisor.regain_connection();
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.wait_for_jobs();
  REQUIRE(anvil.guest(world.guest)->has_saved_memory);
  REQUIRE(anvil.result([&] { return anvil.host().launch(request); }) == "done");
  CHECK(anvil.counter(world.guest) == 2);
}

TEST_CASE("a machine whose memory libvirt keeps is neither packed nor launched over") {
  HostWorld world;
  auto& anvil = world.anvil;
  const auto guest = anvil.machine("smith");
  anvil.run_machine(guest);
  anvil.start();
  anvil.plug();
  SECTION("packed") {
    anvil.hypervisor.somebody_saves(guest);
    PackRequest request;
    request.domain = "smith";
    request.device = anvil.device();
    CHECK(anvil.result([&] { return anvil.host().pack(std::move(request)); }) != "done");
  }
  SECTION("launched") {
    const auto capsule = anvil.pack("smith");
    REQUIRE(anvil.result([&] { return anvil.host().eject(capsule); }) == "done");
    anvil.run_machine(guest);
    anvil.hypervisor.somebody_saves(guest);
    anvil.pull();
    anvil.plug();
    REQUIRE(anvil.reaches(capsule, "ready"));
    LaunchRequest request;
    request.capsule = capsule;
    CHECK(anvil.result([&] { return anvil.host().launch(request); }) != "done");
  }
  CHECK(anvil.ends.back().message.find(way_out) != std::string::npos);
  CHECK(anvil.guest(guest)->has_saved_memory);
}

}  // namespace satchel::test
