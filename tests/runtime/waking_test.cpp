// The daemon killed between a restored guest and its first step: it is let run, or what it was
// restored from counts; what it did is never dropped.
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "runtime/running_world.hpp"
#include "runtime/session_guest.hpp"

namespace satchel::test {

namespace {

/// A machine that counted to one.
struct WakingWorld : RunningWorld {
  WakingWorld() : RunningWorld(1) {}

  std::filesystem::path journal() const { return anvil.session_directory(capsule) / "journal"; }
  std::filesystem::path overlay() const { return anvil.session_directory(capsule) / "vda.qcow2"; }

  void launch() {
    REQUIRE(anvil.result([&] { return anvil.host().eject(capsule); }) == "done");
    anvil.pull();
    anvil.plug();
    REQUIRE(anvil.reaches(capsule, "ready"));
    LaunchRequest request;
    request.capsule = capsule;
    REQUIRE(anvil.result([&] { return anvil.host().launch(request); }) == "done");
  }
  void plug_in_again() {
    anvil.pull();
    REQUIRE(anvil.reaches(capsule, "stranded"));
    anvil.wait_for_jobs();
    anvil.plug();
    REQUIRE(anvil.reaches(capsule, "running"));
    anvil.wait_for_jobs();
  }
  /// As a daemon leaves it that is killed when the guest is about to be let run. `image`: the
  /// journal does not know yet that this has been restored.
  void stop_as_if_killed(std::optional<std::string> image = {}) {
    anvil.stop();
    std::ifstream in(journal());
    auto session = read_journal(std::string(std::istreambuf_iterator<char>(in), {}));
    REQUIRE(session);
    session->phase = Phase::waking;
    session->save_image = std::move(image);
    std::ofstream(journal()) << write_journal(*session);
  }
};

}  // namespace

TEST_CASE("a guest that was about to be let run when the daemon was killed is let run") {
  WakingWorld world;
  auto& anvil = world.anvil;
  SECTION("launched") { world.launch(); }
  SECTION("plugged in again") { world.plug_in_again(); }
  world.stop_as_if_killed();
  anvil.await(anvil.hypervisor.pause(world.guest));
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(anvil.counter(world.guest) == 1);
  anvil.hypervisor.tick(world.guest);
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(world.head(world.capsule).hibernation);
}

TEST_CASE("a guest that was about to be let run when the power went is restored once more") {
  WakingWorld world;
  auto& anvil = world.anvil;
  const auto image = anvil.session_directory(world.capsule) / "guest.save";
  const auto kept = world.scratch.path() / "kept";
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  std::filesystem::copy_file(image, kept);
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.wait_for_jobs();
  std::optional<std::string> named;
  if (GENERATE(false, true)) named = image.string();
  world.stop_as_if_killed(named);
  std::filesystem::copy_file(kept, image);
  anvil.await(anvil.hypervisor.destroy(world.guest));
  auto state = GuestState::running;
  SECTION("it had done nothing yet") {}
  SECTION("it had written: its memory is older than its disks") {
    std::filesystem::resize_file(world.overlay(), 1 << 20);
    std::filesystem::last_write_time(
        image, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    state = GuestState::shut_off;
  }
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(anvil.has_session(world.capsule));
  CHECK(anvil.guest(world.guest)->state == state);
  if (state == GuestState::running) CHECK(anvil.counter(world.guest) == 1);
}

TEST_CASE("what a guest wrote before the journal knew that it runs is not dropped") {
  WakingWorld world;
  auto& anvil = world.anvil;
  world.launch();
  world.stop_as_if_killed();
  std::filesystem::resize_file(world.overlay(), 1 << 20);
  SECTION("it is off when the daemon is back") { anvil.hypervisor.guest_shuts_down(world.guest); }
  SECTION("it is off when a later daemon is back") {
    anvil.start();
    REQUIRE(anvil.reaches(world.capsule, "running"));
    anvil.stop();
    anvil.hypervisor.guest_shuts_down(world.guest);
  }
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(anvil.has_session(world.capsule));
  CHECK(std::filesystem::file_size(world.overlay()) == 1 << 20);
}

TEST_CASE("a guest that was about to be let run and is gone is launched from its memory again") {
  WakingWorld world;
  auto& anvil = world.anvil;
  world.launch();
  world.stop_as_if_killed();
  anvil.await(anvil.hypervisor.destroy(world.guest));
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  INFO(anvil.log.all());
  CHECK(anvil.until([&] { return !anvil.has_session(world.capsule); }));
  CHECK(world.head(world.capsule).hibernation);
}

TEST_CASE("a guest that lives after all, once libvirt can be asked, is saved again") {
  RunningWorld world(1);
  auto& anvil = world.anvil;
  anvil.pull();
  REQUIRE(anvil.until(
      [&] { return anvil.detail(world.capsule).find("is saved") != std::string::npos; }));
  anvil.wait_for_jobs();
  anvil.hypervisor.before = [&](FakeHypervisor::Call call) {
    if (call == FakeHypervisor::Call::resume) anvil.hypervisor.lose_connection();
  };
  anvil.plug_only();
  REQUIRE(anvil.until([&] { return anvil.log.says("connection lost"); }));
  anvil.wait_for_jobs();
  REQUIRE(anvil.state(world.capsule) == "stranded");
  anvil.hypervisor.before = {};
  anvil.hypervisor.regain_connection();
  REQUIRE(anvil.until(
      [&] { return !anvil.guest(world.guest) || !is_alive(anvil.guest(world.guest)); }));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(std::filesystem::exists(anvil.session_directory(world.capsule) / "guest.save"));
  LaunchRequest request;
  request.capsule = world.capsule;
  REQUIRE(anvil.result([&] { return anvil.host().launch(request); }) == "done");
  CHECK(anvil.state(world.capsule) == "running");
  CHECK(anvil.counter(world.guest) == 1);
  CHECK(world.eject() == "done");
}

TEST_CASE("a launch that libvirt went away in is made when it is back, where launches are made") {
  WakingWorld world;
  auto& anvil = world.anvil;
  REQUIRE(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  anvil.pull();
  const bool by_itself = GENERATE(true, false);
  anvil.stop();
  if (by_itself) anvil.config.on_insert = OnInsert::resume;
  anvil.start();
  const auto lost_at = GENERATE(FakeHypervisor::Call::lend, FakeHypervisor::Call::restore,
                                FakeHypervisor::Call::resume);
  anvil.hypervisor.before = [&](FakeHypervisor::Call call) {
    if (call == lost_at) anvil.hypervisor.lose_connection();
  };
  anvil.plug();
  if (!by_itself) {
    REQUIRE(anvil.reaches(world.capsule, "ready"));
    LaunchRequest request;
    request.capsule = world.capsule;
    REQUIRE(anvil.result([&] { return anvil.host().launch(request); }) != "done");
  }
  REQUIRE(anvil.until([&] { return anvil.log.says("connection lost"); }));
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  // It has not run, and is not said to be checked out by anybody.
  CHECK(anvil.detail(world.capsule).find("checked out") == std::string::npos);
  anvil.hypervisor.before = {};
  anvil.hypervisor.regain_connection();
  // Woken already, a guest is a session's, whoever asked for it.
  if (by_itself || lost_at == FakeHypervisor::Call::resume) {
    REQUIRE(anvil.reaches(world.capsule, "running"));
    anvil.wait_for_jobs();
  } else {
    REQUIRE(anvil.until([&] { return !anvil.host().view().hypervisor.empty(); }));
    CHECK(anvil.state(world.capsule) == "ready");
    LaunchRequest request;
    request.capsule = world.capsule;
    REQUIRE(anvil.result([&] { return anvil.host().launch(request); }) == "done");
  }
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(anvil.counter(world.guest) == 1);
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(world.head(world.capsule).hibernation);
}

}  // namespace satchel::test
