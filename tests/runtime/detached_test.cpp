// What is kept here of a machine's disks, and the machine that goes on with it without its device.
#include <catch2/catch.hpp>
#include <filesystem>

#include "runtime/kept_world.hpp"

namespace satchel::test {

namespace {

namespace fs = std::filesystem;
using Call = FakeHypervisor::Call;

}  // namespace

TEST_CASE("a machine whose device is gone goes on with what is kept here, and then on its device") {
  KeptWorld world;
  auto& anvil = world.anvil;
  world.strand();
  CHECK(anvil.capsule(world.capsule)->next_step.find("--without-device") != std::string::npos);
  CHECK(world.go_on_without_device() == "done");
  CHECK(anvil.state(world.capsule) == "detached");
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(anvil.capsule(world.capsule)->can_unplug);
  world.tick(anvil);

  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(anvil.counter(world.guest) == 2);
  world.tick(anvil);
  world.check_that_bellows_has(3);
}

TEST_CASE("copies of the disks count on when the memory beside them was written anew") {
  KeptWorld world;
  auto& anvil = world.anvil;
  for (int session = 0; session < 2; ++session) {
    REQUIRE(world.eject() == "done");
    anvil.pull();
    anvil.plug();
    REQUIRE(anvil.reaches(world.capsule, "ready"));
    REQUIRE(world.launch(anvil, LaunchRequest::Device::needed) == "done");
  }
  const auto kept = [&] {
    return anvil.capsule(world.capsule) && world.keeps(anvil) &&
           world.kept_generation(anvil) == world.head(world.capsule).generation.id;
  };
  REQUIRE(anvil.until(kept));
  REQUIRE(anvil.result([&] {
    return anvil.host().compact(world.capsule, Commands::WhenNeeded::refuse);
  }) == "done");
  CHECK(world.head(world.capsule).history.back().what == "compact");
  CHECK(kept());
  world.strand();
  CHECK(world.go_on_without_device() == "done");
  CHECK(anvil.counter(world.guest) == 1);
}

TEST_CASE("a new daemon finds a machine that runs without its device, and leaves it alone") {
  KeptWorld world;
  auto& anvil = world.anvil;
  world.strand();
  CHECK(world.go_on_without_device() == "done");
  const auto pauses = anvil.hypervisor.count(Call::pause);
  anvil.stop();
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "detached"));
  CHECK(anvil.hypervisor.count(Call::pause) == pauses);
  world.tick(anvil);

  // Put away for the night, and back the next day.
  CHECK(world.eject() == "done");
  CHECK(anvil.state(world.capsule) == "stranded");
  CHECK(world.go_on_without_device() == "done");
  CHECK(anvil.counter(world.guest) == 2);
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  world.check_that_bellows_has(2);
}

TEST_CASE("a machine that was off when its device went boots from what is kept here") {
  KeptWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.guest_shuts_down(world.guest);
  REQUIRE(anvil.until(
      [&] { return anvil.detail(world.capsule).find("shut down") != std::string::npos; }));
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  CHECK(world.go_on_without_device() == "done");
  CHECK(anvil.state(world.capsule) == "detached");
  CHECK(anvil.guest(world.guest)->state == GuestState::running);

  anvil.hypervisor.guest_shuts_down(world.guest);
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(world.eject() == "done");
}

TEST_CASE("the device went on elsewhere meanwhile: nothing is lost, and somebody chooses") {
  KeptWorld world;
  auto& anvil = world.anvil;
  world.strand();
  CHECK(world.go_on_without_device() == "done");
  world.bellows.start();
  world.bellows.plug();
  REQUIRE(world.bellows.reaches(world.capsule, "ready"));
  LaunchRequest over;
  over.capsule = world.capsule;
  over.when_checked_out = LaunchRequest::CheckedOut::take_over;
  REQUIRE(world.bellows.result([&] { return world.bellows.host().launch(over); }) == "done");
  REQUIRE(world.eject(world.bellows) == "done");
  world.bellows.pull();

  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "diverged"));
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "detached"));
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "diverged"));
  CHECK(anvil.result([&] { return anvil.host().resolve(world.capsule, "keep-both"); }) == "done");
  REQUIRE(anvil.until([&] { return anvil.host().view().capsules.size() == 2; }));
}

TEST_CASE("a damaged copy is found before the guest sees it, and made anew") {
  KeptWorld world;
  auto& anvil = world.anvil;
  world.strand();
  REQUIRE_FALSE(world.copies().empty());
  flip_last_byte(world.copies().front());
  CHECK(world.go_on_without_device() != "done");
  INFO(anvil.ends.back().message);
  CHECK(anvil.ends.back().message.find("is damaged") != std::string::npos);
  CHECK(anvil.state(world.capsule) == "stranded");
  CHECK(world.go_on_without_device() != "done");
  CHECK(anvil.ends.back().message.find("no complete copy") != std::string::npos);

  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.counter(world.guest) == 1);
  world.strand();
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  // It keeps them again.
  const auto whole = world.copies().size();
  REQUIRE(anvil.until([&] { return world.copies().size() > whole || whole > 1; }));
}

TEST_CASE("a copy goes on from where it was broken off") {
  KeptWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  const auto copy = world.copies().front();
  const auto size = fs::file_size(copy);
  auto part = copy;
  part.replace_extension(".part");
  SECTION("with what is right") {
    fs::rename(copy, part);
    fs::resize_file(part, size / 2);
  }
  SECTION("with what is not") {
    fs::rename(copy, part);
    fs::resize_file(part, size / 2);
    flip_last_byte(part);
  }
  fs::remove(world.kept_in(anvil) / "head.json");
  anvil.start();
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  // One that is wrong is begun anew at the next occasion.
  if (!anvil.until([&] { return world.keeps(anvil) || anvil.log.says("have been merged"); }))
    FAIL("it is not kept");
  if (!world.keeps(anvil)) {
    CHECK_FALSE(fs::exists(part));
    anvil.stop();
    anvil.start();
    anvil.plug();
    REQUIRE(anvil.until([&] { return world.keeps(anvil); }));
  }
  CHECK(fs::file_size(copy) == size);
}

TEST_CASE("without copies the device is needed, and it is said") {
  RunningWorld world(1, [](HostWorld& all) { all.anvil.config.cache.disks = ByteCount(); });
  auto& anvil = world.anvil;
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  CHECK(anvil.capsule(world.capsule)->next_step.find("--without-device") == std::string::npos);
  LaunchRequest request;
  request.capsule = world.capsule;
  request.device = LaunchRequest::Device::without;
  CHECK(anvil.result([&] { return anvil.host().launch(request); }) != "done");
  CHECK(anvil.ends.back().message.find("no complete copy of its disks") != std::string::npos);
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.counter(world.guest) == 1);
}

TEST_CASE("disks are kept where a machine is at home, elsewhere when the settings say so") {
  DisksKept where = DisksKept::at_home;
  Privacy privacy = Privacy::none;
  SECTION("at home") {}
  SECTION("everywhere") { where = DisksKept::everywhere; }
  SECTION("not of a private machine") {
    where = DisksKept::everywhere;
    privacy = Privacy::kept;
  }
  KeptWorld world;
  REQUIRE(world.eject() == "done");
  world.anvil.pull();
  world.bellows.config.cache.disks_of = where;
  world.bellows.config.capsules[world.capsule].privacy = privacy;
  world.bellows.start();
  world.bellows.plug();
  REQUIRE(world.bellows.reaches(world.capsule, "ready"));
  REQUIRE(world.launch(world.bellows, LaunchRequest::Device::needed) == "done");
  const bool expected = where == DisksKept::everywhere && privacy == Privacy::none;
  if (expected) REQUIRE(world.bellows.until([&] { return world.keeps(world.bellows); }));
  CHECK(world.eject(world.bellows) == "done");
  CHECK(world.keeps(world.bellows) == expected);
}

TEST_CASE("copies below a guest that runs on them do not make way for its own memory") {
  KeptWorld world;
  auto& anvil = world.anvil;
  world.strand();
  REQUIRE(world.go_on_without_device() == "done");
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  // As if this computer were full.
  anvil.stop();
  anvil.config.space.keep_free_host = mebibytes(1U << 30);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.result([&] { return anvil.host().checkpoint(world.capsule); });
  INFO(anvil.log.all());
  CHECK(world.keeps(anvil));
}

TEST_CASE("copies that made way for a memory are not promised any more") {
  KeptWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  anvil.config.space.keep_free_host = mebibytes(1U << 30);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK_FALSE(world.keeps(anvil));
  CHECK(anvil.capsule(world.capsule)->next_step.find("--without-device") == std::string::npos);
}

TEST_CASE("what is kept is dropped when somebody asks, but not below a machine that runs on it") {
  KeptWorld world;
  auto& anvil = world.anvil;
  world.strand();
  REQUIRE(world.go_on_without_device() == "done");
  CHECK_THROWS_AS(anvil.await(anvil.host().drop_cache({})), Fault);
  CHECK(world.keeps(anvil));
  CHECK(world.eject() == "done");
  CHECK(anvil.await(anvil.host().drop_cache(world.capsule)) > ByteCount(0));
  CHECK_FALSE(world.keeps(anvil));
  CHECK(anvil.until([&] {
    return anvil.capsule(world.capsule)->next_step.find("--without-device") == std::string::npos;
  }));
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  world.check_that_bellows_has(1);
}

}  // namespace satchel::test
