// The daemon stopped and started: a session goes on, an interrupted job is undone.
#include <catch2/catch.hpp>

#include "runtime/host_world.hpp"

namespace satchel::test {

namespace {

using Call = FakeHypervisor::Call;

struct RestartWorld : HostWorld {
  DomainId guest;
  CapsuleId capsule;

  RestartWorld() {
    anvil.start();
    anvil.plug();
    guest = anvil.machine("traveller");
    anvil.run_machine(guest);
    capsule = anvil.pack("traveller");
    anvil.hypervisor.tick(guest);
  }
  ~RestartWorld() { CHECK(anvil.breaches == std::vector<std::string>{}); }
};

}  // namespace

TEST_CASE("a restart of the daemon does not disturb a running guest") {
  RestartWorld world;
  auto& anvil = world.anvil;
  const auto count = [&](Call call) { return anvil.hypervisor.count(call); };
  const auto touched = count(Call::pause) + count(Call::save) + count(Call::destroy) +
                       count(Call::resume) + count(Call::define) + count(Call::start);
  anvil.stop();
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(count(Call::pause) + count(Call::save) + count(Call::destroy) + count(Call::resume) +
            count(Call::define) + count(Call::start) ==
        touched);
  anvil.hypervisor.tick(world.guest);
  CHECK(anvil.counter(world.guest) == 2);
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(anvil.state(world.capsule) == "safe");
}

TEST_CASE("a session whose device went while no daemon ran is stranded at the start") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  anvil.pull();
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(std::filesystem::exists(anvil.session_directory(world.capsule) / "guest.save"));
  anvil.plug();
  CHECK(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.counter(world.guest) == 1);
}

TEST_CASE("a guest that shut down while no daemon ran is checked in without memory") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  anvil.hypervisor.guest_shuts_down(world.guest);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK_FALSE(world.head(world.capsule).hibernation);
}

TEST_CASE("stopping the daemon during an eject leaves the guest running") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.stall_save();
  anvil.host().eject(world.capsule);
  REQUIRE(anvil.until([&] { return anvil.hypervisor.count(Call::save) > 0; }));
  anvil.stop();
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(world.head(world.capsule).generation.seq == Sequence(1));
  anvil.start();
  CHECK(anvil.reaches(world.capsule, "running"));
}

TEST_CASE("a journal that can't be read is told and left as it is") {
  RestartWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  const auto journal = anvil.session_directory(world.capsule) / "journal";
  std::filesystem::resize_file(journal, 10);
  anvil.start();
  CHECK(anvil.log.says("left as it is"));
  CHECK(std::filesystem::file_size(journal) == 10);
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
}

}  // namespace satchel::test
