// An eject that comes to its commit and not to its end: the guest is ended, or it goes on and its
// device says so.
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <future>

#include "base/host_file.hpp"
#include "runtime/running_world.hpp"
#include "session/session.hpp"

namespace satchel::test {

namespace {

namespace fs = std::filesystem;
using Call = FakeHypervisor::Call;

/// A machine that was packed while it ran, and has counted to two.
struct LateWorld : RunningWorld {
  LateWorld() : RunningWorld(2) {}

  fs::path kept() const { return scratch.path() / "kept"; }
  /// The session as it is when the device is about to hold it.
  void keep_session() {
    anvil.hypervisor.at_header = [&] {
      fs::copy(anvil.session_directory(capsule), kept(), fs::copy_options::recursive);
    };
  }
  /// As a daemon leaves it that is killed right after the commit, with the guest still there: in
  /// the time until the next one starts, libvirt lets it run on.
  void be_killed_after_commit() {
    keep_session();
    REQUIRE(eject() == "done");
    REQUIRE(anvil.until([&] { return !anvil.has_session(capsule); }));
    anvil.stop();
    anvil.hypervisor.at_header = {};
    fs::copy(kept(), anvil.session_directory(capsule), fs::copy_options::recursive);
    anvil.hypervisor.somebody_starts(
        guest, {{"vda", (anvil.session_directory(capsule) / "vda.qcow2").string()}});
    anvil.hypervisor.tick(guest);
  }
  /// Checked out by the session that is open, whose eject history tells of.
  void check_that_the_device_says_so() {
    INFO(anvil.log.all());
    const auto now = head(capsule);
    REQUIRE(now.checked_out);
    CHECK(now.checked_out->host_name == "anvil");
    REQUIRE(now.history.size() >= 2);
    CHECK(now.history.back().what == "check out");
    CHECK(now.history[now.history.size() - 2].what == "eject");
    CHECK(now.hibernation);
  }
  /// What the guest did until now arrives elsewhere.
  void check_that_it_travels() {
    const auto count = anvil.counter(guest);
    INFO(anvil.log.all());
    REQUIRE(eject() == "done");
    CHECK_FALSE(head(capsule).checked_out);
    anvil.pull();
    bellows.start();
    bellows.plug();
    REQUIRE(bellows.reaches(capsule, "ready"));
    LaunchRequest request;
    request.capsule = capsule;
    INFO(bellows.log.all());
    REQUIRE(bellows.result([&] { return bellows.host().launch(request); }) == "done");
    CHECK(bellows.counter(guest) == count);
  }
};

Session journal_in(const std::filesystem::path& directory) {
  return read_journal(read_host_file(directory / "journal", LastLink::follow)).value();
}

}  // namespace

TEST_CASE("a guest that libvirt does not end after the commit goes on, and its device says so") {
  LateWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.fail_save_at_header();
  CHECK(world.eject().find("goes on running here") != std::string::npos);
  anvil.wait_for_jobs();
  CHECK(anvil.state(world.capsule) == "running");
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(anvil.hypervisor.count(Call::destroy) == 0);
  world.check_that_the_device_says_so();
  anvil.hypervisor.tick(world.guest);
  world.check_that_it_travels();
}

TEST_CASE("a guest that stands still after the commit is ended, and the eject is done") {
  LateWorld world;
  auto& anvil = world.anvil;
  anvil.await(anvil.hypervisor.pause(world.guest));
  anvil.hypervisor.fail_save_at_header();
  CHECK(world.eject() == "done");
  CHECK(anvil.state(world.capsule) == "safe");
  CHECK(anvil.guest(world.guest)->state == GuestState::shut_off);
  CHECK_FALSE(world.head(world.capsule).checked_out);
}

TEST_CASE(
    "an eject that is refused before the guest is stopped leaves a journal of one that runs") {
  LateWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.fail(Call::ability);
  CHECK(world.eject() != "done");
  anvil.wait_for_jobs();
  CHECK(anvil.state(world.capsule) == "running");
  CHECK(journal_in(anvil.session_directory(world.capsule)).phase == Phase::running);
  world.check_that_it_travels();
}

TEST_CASE("what became of a guest that libvirt went away with is looked at when it is back") {
  LateWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.at_header = [&] {
    std::promise<void> lost;
    boost::asio::post(world.loop.io, [&] {
      anvil.hypervisor.lose_connection();
      lost.set_value();
    });
    lost.get_future().wait();
  };
  anvil.hypervisor.fail_save_at_header();
  CHECK(world.eject().find("went away") != std::string::npos);
  anvil.wait_for_jobs();
  CHECK(anvil.state(world.capsule) == "running");
  CHECK_FALSE(world.head(world.capsule).checked_out);
  anvil.hypervisor.at_header = {};
  SECTION("it has ended: the device holds the machine") {
    anvil.hypervisor.guest_shuts_down(world.guest);
    anvil.hypervisor.regain_connection();
    REQUIRE(anvil.reaches(world.capsule, "ready"));
    REQUIRE(anvil.until([&] { return !anvil.has_session(world.capsule); }));
    CHECK(world.head(world.capsule).hibernation);
    CHECK_FALSE(world.head(world.capsule).checked_out);
  }
  SECTION("it has written, and ended: that is not dropped") {
    anvil.hypervisor.guest_shuts_down(world.guest);
    fs::last_write_time(anvil.session_directory(world.capsule) / "vda.qcow2",
                        fs::file_time_type::clock::now());
    anvil.hypervisor.regain_connection();
    REQUIRE(anvil.until([&] { return world.head(world.capsule).checked_out.has_value(); }));
    REQUIRE(anvil.reaches(world.capsule, "running"));
    anvil.wait_for_jobs();
    CHECK(anvil.has_session(world.capsule));
    world.check_that_the_device_says_so();
  }
  SECTION("it runs on: the device says so") {
    anvil.hypervisor.regain_connection();
    REQUIRE(anvil.until([&] { return world.head(world.capsule).checked_out.has_value(); }));
    REQUIRE(anvil.reaches(world.capsule, "running"));
    anvil.wait_for_jobs();
    world.check_that_the_device_says_so();
    anvil.hypervisor.tick(world.guest);
    SECTION("and takes it when it is ejected") { world.check_that_it_travels(); }
    SECTION("and what it did is not taken for what was ejected when it has shut down") {
      anvil.hypervisor.guest_shuts_down(world.guest);
      anvil.stop();
      anvil.start();
      REQUIRE(anvil.reaches(world.capsule, "running"));
      CHECK(anvil.has_session(world.capsule));
    }
  }
}

TEST_CASE(
    "a guest that outlived a daemon killed after its commit goes on, and its device says so") {
  LateWorld world;
  auto& anvil = world.anvil;
  world.be_killed_after_commit();
  SECTION("with its device") {
    anvil.plug();
    anvil.start();
    REQUIRE(anvil.reaches(world.capsule, "running"));
  }
  SECTION("with its device pulled, and back later") {
    anvil.pull();
    anvil.start();
    REQUIRE(anvil.reaches(world.capsule, "stranded"));
    anvil.wait_for_jobs();
    CHECK_FALSE(world.head(world.capsule).checked_out);
    anvil.plug();
    REQUIRE(anvil.reaches(world.capsule, "running"));
    CHECK(anvil.counter(world.guest) == 1);
  }
  anvil.wait_for_jobs();
  world.check_that_the_device_says_so();
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  world.check_that_it_travels();
}

TEST_CASE(
    "a guest that ran on after such an eject, and ended before the next daemon, is looked at") {
  LateWorld world;
  auto& anvil = world.anvil;
  world.be_killed_after_commit();
  anvil.hypervisor.guest_shuts_down(world.guest);
  const auto overlay = anvil.session_directory(world.capsule) / "vda.qcow2";
  SECTION("it wrote: what it wrote is not dropped, and travels") {
    fs::last_write_time(overlay, fs::file_time_type::clock::now());
    anvil.plug();
    anvil.start();
    REQUIRE(anvil.reaches(world.capsule, "running"));
    anvil.wait_for_jobs();
    CHECK(anvil.log.says("ran on after it was ejected"));
    CHECK(anvil.has_session(world.capsule));
    world.check_that_the_device_says_so();
    CHECK(world.eject() == "done");
    CHECK(world.head(world.capsule).generation.seq == Sequence(4));
    CHECK_FALSE(world.head(world.capsule).hibernation);
  }
  SECTION("it wrote nothing: the device has it all") {
    fs::last_write_time(overlay, fs::file_time_type::clock::now() - std::chrono::hours(1));
    anvil.plug();
    anvil.start();
    REQUIRE(anvil.reaches(world.capsule, "ready"));
    CHECK(anvil.until([&] { return !anvil.has_session(world.capsule); }));
    CHECK(world.head(world.capsule).hibernation);
  }
}

TEST_CASE("a machine that is started while its disks are ejected without it stays") {
  LateWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.guest_shuts_down(world.guest);
  REQUIRE(anvil.until(
      [&] { return anvil.detail(world.capsule).find("shut down") != std::string::npos; }));
  int asked = 0;
  anvil.hypervisor.before = [&](Call call) {
    if (call != Call::find || ++asked != 2) return;
    anvil.hypervisor.somebody_starts(
        world.guest, {{"vda", (anvil.session_directory(world.capsule) / "vda.qcow2").string()}});
  };
  CHECK(world.eject().find("it was started while") != std::string::npos);
  anvil.hypervisor.before = {};
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(anvil.has_session(world.capsule));
  CHECK(world.head(world.capsule).generation.seq == Sequence(1));
  CHECK(world.eject() == "done");
}

TEST_CASE("a session whose device can't be told that it goes on waits until that can be") {
  LateWorld world;
  auto& anvil = world.anvil;
  world.be_killed_after_commit();
  anvil.pull();
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  // What stands in the next head's way is not ours to replace.
  const auto heads = world.on_device(world.capsule) / "heads" / "3.json";
  fs::create_directories(heads / "in the way");
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "failed"));
  CHECK(anvil.has_session(world.capsule));
  CHECK(anvil.guest(world.guest)->state == GuestState::shut_off);
  fs::remove_all(heads);
  LaunchRequest request;
  request.capsule = world.capsule;
  CHECK(anvil.result([&] { return anvil.host().launch(request); }) == "done");
  CHECK(anvil.state(world.capsule) == "running");
  world.check_that_the_device_says_so();
  CHECK(anvil.counter(world.guest) == 1);
}

}  // namespace satchel::test
