// A guest whose device is gone and that could not be saved on this computer at first.
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <utility>

#include "runtime/running_world.hpp"

namespace satchel::test {

namespace {

using Call = FakeHypervisor::Call;

constexpr auto held = "is held in this computer's memory";
constexpr auto saved = "is saved on this computer";

/// Pulled, and its save has failed.
struct StrandedWorld : RunningWorld {
  explicit StrandedWorld(std::chrono::milliseconds pause)
      : RunningWorld(1, [&](HostWorld& world) { world.anvil.pause_before_retry = pause; }) {
    anvil.hypervisor.fail(Call::save);
    anvil.pull();
    REQUIRE(anvil.until([&] { return anvil.log.says(held); }));
    CHECK(anvil.guest(guest)->state == GuestState::paused);
  }
  bool says(const std::string& what) {
    return anvil.detail(capsule).find(what) != std::string::npos;
  }
  void check_that_it_goes_on() {
    CHECK(std::filesystem::exists(anvil.session_directory(capsule) / "guest.save"));
    anvil.plug();
    REQUIRE(anvil.reaches(capsule, "running"));
    CHECK(anvil.counter(guest) == 1);
  }
};

}  // namespace

TEST_CASE("a stranded guest whose save failed is saved by itself a while later") {
  StrandedWorld world(std::chrono::milliseconds(20));
  REQUIRE(world.anvil.until([&] { return world.says(saved); }));
  world.anvil.wait_for_jobs();
  CHECK(world.anvil.hypervisor.count(Call::save) == 2);
  world.check_that_it_goes_on();
}

TEST_CASE("a stranded guest whose save failed is saved when somebody ejects it") {
  StrandedWorld world(std::chrono::hours(1));
  world.anvil.wait_for_jobs();
  CHECK(world.says(held));
  CHECK(world.eject() == "done");
  CHECK(world.says(saved));
  world.check_that_it_goes_on();
}

TEST_CASE("a guest that ends by itself just when it is ended leaves nothing behind") {
  StrandedWorld world(std::chrono::hours(1));
  auto& anvil = world.anvil;
  bool ended = false;
  anvil.hypervisor.before = [&](Call call) {
    if (call == Call::destroy && !std::exchange(ended, true))
      anvil.hypervisor.guest_crashes(world.guest);
  };
  CHECK(anvil.result([&] { return anvil.host().resolve(world.capsule, "discard-ours"); }) ==
        "done");
  CHECK(anvil.until([&] { return !anvil.has_session(world.capsule); }));
  INFO(anvil.log.all());
  CHECK(ended);
  CHECK_FALSE(std::filesystem::exists(anvil.session_directory(world.capsule)));
}

TEST_CASE("a guest that an eject has left without its disks goes on from that eject's copy") {
  RunningWorld world(1);
  auto& anvil = world.anvil;
  namespace fs = std::filesystem;
  // The device fails behind the memory, before it is known to be gone.
  const auto next = world.head(world.capsule).generation.seq.value + 1;
  const auto map = world.on_device(world.capsule) / "memory" / (std::to_string(next) + ".map");
  anvil.hypervisor.at_streams_end = [&] { fs::create_directories(map); };
  anvil.hypervisor.lose_disks();
  CHECK(world.eject() != "done");
  CHECK(anvil.guest(world.guest)->state == GuestState::paused);
  CHECK(anvil.log.says("stands still after a save"));
  fs::remove(map);
  anvil.pull();
  REQUIRE(anvil.until([&] { return anvil.log.says("; it counts"); }));
  anvil.wait_for_jobs();
  CHECK(anvil.guest(world.guest)->state == GuestState::shut_off);
  anvil.plug();
  INFO(anvil.log.all());
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.counter(world.guest) == 1);
}

TEST_CASE("a guest that a checkpoint has left without its disks goes on from its copy") {
  RunningWorld world(1);
  auto& anvil = world.anvil;
  anvil.hypervisor.lose_disks();
  anvil.hypervisor.fail_save_at_header();
  CHECK(anvil.result([&] { return anvil.host().checkpoint(world.capsule); }) != "done");
  CHECK(anvil.guest(world.guest)->state == GuestState::paused);
  anvil.pull();
  INFO(anvil.log.all());
  REQUIRE(anvil.until([&] { return anvil.log.says("; it counts"); }));
  anvil.wait_for_jobs();
  CHECK(anvil.guest(world.guest)->state == GuestState::shut_off);
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.counter(world.guest) == 1);
}

TEST_CASE("a kept copy does not count for a guest that has written to a disk since its instant") {
  RunningWorld world(1);
  auto& anvil = world.anvil;
  namespace fs = std::filesystem;
  anvil.hypervisor.lose_disks();
  anvil.hypervisor.fail_save_at_header();
  // Behind the stream's end, and before the copy is kept, by the clock of files.
  anvil.hypervisor.at_header = [&] {
    const auto directory = anvil.session_directory(world.capsule);
    const auto now = fs::file_time_type::clock::now();
    for (const auto& file : fs::directory_iterator(directory))
      fs::last_write_time(file.path(), now);
    const auto probe = directory / "clock";
    do std::ofstream(probe) << "tick";
    while (fs::last_write_time(probe) <= now);
    fs::remove(probe);
  };
  CHECK(anvil.result([&] { return anvil.host().checkpoint(world.capsule); }) != "done");
  anvil.pull();
  REQUIRE(anvil.until([&] { return anvil.log.says("was written to after it"); }));
  anvil.wait_for_jobs();
  CHECK(anvil.guest(world.guest)->state == GuestState::paused);
}

namespace {

/// Packed here, ejected, and launched from the device again: the machine of before is still defined
/// on this computer, on disks of its own. The guest has counted to two, and was pulled.
struct HomeWorld : RunningWorld {
  HomeWorld() : RunningWorld(1) {
    REQUIRE(eject() == "done");
    anvil.pull();
    anvil.plug();
    REQUIRE(anvil.reaches(capsule, "ready"));
    launch();
    tick(anvil);
  }
  std::string launch(bool fresh = false) {
    LaunchRequest request;
    request.capsule = capsule;
    if (fresh) request.memory = LaunchRequest::Memory::start_fresh;
    return anvil.result([&] { return anvil.host().launch(request); });
  }
  void strand() {
    anvil.pull();
    REQUIRE(anvil.until([&] { return anvil.detail(capsule).find(saved) != std::string::npos; }));
    anvil.wait_for_jobs();
  }
};

}  // namespace

TEST_CASE("a machine on disks of its own is not taken for the stranded guest of its identity") {
  HomeWorld world;
  auto& anvil = world.anvil;
  world.strand();
  anvil.run_machine(world.guest);
  const auto image = anvil.session_directory(world.capsule) / "guest.save";
  SECTION("seen by the same daemon") {}
  SECTION("seen by the next one") {
    anvil.stop();
    anvil.start();
  }
  anvil.plug();
  REQUIRE(anvil.until(
      [&] { return anvil.detail(world.capsule).find("on its own disks") != std::string::npos; }));
  CHECK(anvil.state(world.capsule) == "stranded");
  CHECK(std::filesystem::exists(image));
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  anvil.hypervisor.guest_shuts_down(world.guest);
  CHECK(world.launch() == "done");
  CHECK(anvil.counter(world.guest) == 2);
}

TEST_CASE("a machine on disks of its own is neither ejected nor ended with a session that is off") {
  HomeWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.guest_shuts_down(world.guest);
  REQUIRE(anvil.until(
      [&] { return anvil.detail(world.capsule).find("shut down") != std::string::npos; }));
  anvil.run_machine(world.guest);
  CHECK(world.eject() == "done");
  anvil.wait_for_jobs();
  CHECK_FALSE(world.head(world.capsule).hibernation);
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
}

TEST_CASE("a stranded guest that can't be restored boots from its disks when that is asked for") {
  HomeWorld world;
  auto& anvil = world.anvil;
  world.strand();
  const auto image = anvil.session_directory(world.capsule) / "guest.save";
  anvil.hypervisor.fail(Call::restore);
  anvil.plug();
  REQUIRE(anvil.until(
      [&] { return anvil.detail(world.capsule).find("planned failure") != std::string::npos; }));
  anvil.wait_for_jobs();
  CHECK(anvil.state(world.capsule) == "stranded");
  SECTION("it boots: what was saved is given up") {
    CHECK(world.launch(true) == "done");
    CHECK(anvil.state(world.capsule) == "running");
    CHECK(anvil.counter(world.guest) == 0);
    CHECK_FALSE(std::filesystem::exists(image));
  }
  SECTION("it does not boot: what was saved is still there") {
    anvil.hypervisor.fail(Call::start);
    CHECK(world.launch(true) != "done");
    CHECK(std::filesystem::exists(image));
    CHECK(world.launch() == "done");
    CHECK(anvil.counter(world.guest) == 2);
  }
}

TEST_CASE("a return that fails before its start leaves none of the device's files with libvirt") {
  HomeWorld world;
  auto& anvil = world.anvil;
  world.strand();
  std::ofstream(anvil.session_directory(world.capsule) / "guest.save") << "not a save image";
  anvil.plug();
  REQUIRE(anvil.until([&] { return anvil.hypervisor.count(Call::lend) > 1; }));
  anvil.wait_for_jobs();
  CHECK(anvil.state(world.capsule) == "stranded");
  CHECK(anvil.hypervisor.lent(world.guest).empty());
}

TEST_CASE("a stranded guest that is held in memory can have its device back before it is saved") {
  StrandedWorld world(std::chrono::hours(1));
  world.anvil.wait_for_jobs();
  world.anvil.plug();
  REQUIRE(world.anvil.reaches(world.capsule, "running"));
  CHECK(world.anvil.counter(world.guest) == 1);
}

}  // namespace satchel::test
