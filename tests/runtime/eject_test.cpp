// Checking a session in: the guest is let go of only after the device holds it.
#include <sys/stat.h>

#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <fstream>
#include <future>

#include "runtime/running_world.hpp"

namespace satchel::test {

namespace {

using Call = FakeHypervisor::Call;

/// A machine that was packed while it ran, and has counted to two.
struct EjectWorld : RunningWorld {
  explicit EjectWorld(std::function<void(Config&)> adjust = [](Config&) {})
      : RunningWorld(2, [&](HostWorld& world) { adjust(world.anvil.config); }) {}

  void check_that_it_goes_on(Sequence generation = Sequence(1)) {
    INFO(anvil.log.all());
    CHECK(anvil.state(capsule) == "running");
    REQUIRE(anvil.guest(guest));
    CHECK(anvil.guest(guest)->state == GuestState::running);
    CHECK(anvil.counter(guest) == 2);
    CHECK(anvil.has_session(capsule));
    CHECK(head(capsule).generation.seq == generation);
    CHECK(anvil.host().view().running_jobs.empty());
  }
  void check_that_it_ejects(Sequence generation) {
    INFO(anvil.log.all());
    CHECK(eject() == "done");
    CHECK(anvil.state(capsule) == "safe");
    CHECK(head(capsule).generation.seq == generation);
    CHECK(head(capsule).hibernation);
    CHECK_FALSE(head(capsule).checked_out);
    CHECK(anvil.until([&] { return !anvil.has_session(capsule); }));
    CHECK(anvil.guest(guest)->state == GuestState::shut_off);
  }
};

/// Runs the loop until the guest is suspended.
bool is_suspended(EjectWorld& world) {
  return world.anvil.until([&] {
    return world.anvil.hypervisor.count(Call::save) > 0 &&
           world.anvil.guest(world.guest)->state == GuestState::paused;
  });
}

}  // namespace

TEST_CASE("an eject makes the device hold the machine and then lets it be pulled out") {
  EjectWorld world;
  world.check_that_it_ejects(Sequence(2));
  CHECK(world.anvil.capsule(world.capsule)->can_unplug);
  CHECK(world.anvil.volumes.done().back() == "unmount /dev/fake1");
  const auto head = world.head(world.capsule);
  CHECK(head.disks.at(0).chain ==
        std::vector<std::string>{"vda/image.qcow2", "vda/cow.qcow2", "vda/layer-2.qcow2"});
}

TEST_CASE("libvirt lets go of the guest only after the commit") {
  EjectWorld world;
  auto& anvil = world.anvil;
  const auto job = anvil.host().eject(world.capsule);
  bool alive_before_commit = true;
  bool committed = false;
  REQUIRE(anvil.until([&] {
    const auto seen = world.examine(world.capsule);
    committed = seen.newest && seen.newest->head.generation.seq == Sequence(2);
    if (!committed) {
      const auto entry = anvil.guest(world.guest);
      alive_before_commit &= entry && entry->state != GuestState::shut_off;
      // The commit may have come while libvirt was asked.
      if (!alive_before_commit)
        alive_before_commit =
            world.examine(world.capsule).newest->head.generation.seq == Sequence(2);
    }
    return committed;
  }));
  CHECK(alive_before_commit);
  CHECK(anvil.end_of(job).result == "done");
}

TEST_CASE("a machine continues on another computer where it was left") {
  EjectWorld world;
  world.check_that_it_ejects(Sequence(2));
  world.anvil.pull();
  CHECK(world.anvil.reaches(world.capsule, "absent"));
  auto& bellows = world.bellows;
  bellows.start();
  bellows.plug();
  REQUIRE(bellows.reaches(world.capsule, "ready"));
  const auto launched = bellows.result([&] {
    LaunchRequest request;
    request.capsule = world.capsule;
    return bellows.host().launch(request);
  });
  INFO(bellows.log.all());
  REQUIRE(launched == "done");
  CHECK(bellows.counter(world.guest) == 2);
  CHECK(bellows.guest(world.guest)->state == GuestState::running);
  CHECK(world.head(world.capsule).checked_out->host_name == "bellows");
  bellows.hypervisor.tick(world.guest);
  CHECK(bellows.result([&] { return bellows.host().eject(world.capsule); }) == "done");
  CHECK(bellows.reaches(world.capsule, "safe"));
  CHECK(bellows.until([&] { return !bellows.guest(world.guest); }));
  CHECK(bellows.breaches == std::vector<std::string>{});
}

TEST_CASE(
    "a save that fails leaves the guest running, the device as it was, and the next eject good") {
  EjectWorld world;
  SECTION("before the stream") { world.anvil.hypervisor.fail(Call::save); }
  SECTION("after the stream's end") { world.anvil.hypervisor.fail_save_after_stream(); }
  CHECK(world.eject() != "done");
  world.check_that_it_goes_on();
  world.check_that_it_ejects(Sequence(2));
}

TEST_CASE("a save that is aborted in the middle leaves the guest running and the next eject good") {
  EjectWorld world;
  world.anvil.hypervisor.stall_save();
  const auto job = world.anvil.host().eject(world.capsule);
  REQUIRE(is_suspended(world));
  world.anvil.await(world.anvil.hypervisor.abort_job(world.guest));
  CHECK(world.anvil.end_of(job).result != "done");
  world.check_that_it_goes_on();
  world.check_that_it_ejects(Sequence(2));
}

TEST_CASE("a commit that fails leaves the guest running and the next eject good") {
  EjectWorld world;
  // What stands in the head's way is not ours to replace.
  const auto heads = world.on_device(world.capsule) / "heads" / "2.json";
  std::filesystem::create_directories(heads / "in the way");
  CHECK(world.eject() != "done");
  std::filesystem::remove_all(heads);
  world.check_that_it_goes_on();
  world.check_that_it_ejects(Sequence(2));
}

TEST_CASE("a commit that fails leaves the session of a machine that is off, and the next eject") {
  EjectWorld world;
  world.anvil.hypervisor.guest_shuts_down(world.guest);
  const auto heads = world.on_device(world.capsule) / "heads" / "2.json";
  std::filesystem::create_directories(heads / "in the way");
  CHECK(world.eject() != "done");
  std::filesystem::remove_all(heads);
  std::ifstream in(world.anvil.session_directory(world.capsule) / "journal");
  const auto journal = read_journal(std::string(std::istreambuf_iterator<char>(in), {}));
  REQUIRE(journal);
  // Else a record that can be read, and is not on the medium, would end the session.
  CHECK(journal->phase == Phase::running);
  CHECK(world.eject() == "done");
  CHECK(world.anvil.state(world.capsule) == "safe");
  CHECK(world.head(world.capsule).disks.at(0).chain.size() == 3);
}

TEST_CASE("what an eject could not clear away on this computer goes with the next launch") {
  EjectWorld world;
  auto& anvil = world.anvil;
  // The machine's own definition, which comes back when it has left.
  anvil.hypervisor.fail(Call::define);
  CHECK(world.eject() == "done");
  anvil.wait_for_jobs();
  CHECK(anvil.has_session(world.capsule));
  anvil.pull();
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  LaunchRequest request;
  request.capsule = world.capsule;
  CHECK(anvil.result([&] { return anvil.host().launch(request); }) == "done");
  CHECK(anvil.counter(world.guest) == 2);
}

TEST_CASE("too little room on the device is told before the guest is stopped") {
  EjectWorld world;
  world.anvil.stop();
  world.anvil.config.space.keep_free_device = ByteCount(1ULL << 60);
  world.anvil.start();
  REQUIRE(world.anvil.reaches(world.capsule, "running"));
  CHECK(world.eject().find("NoSpace") != std::string::npos);
  CHECK(world.anvil.hypervisor.count(Call::save) == 0);
  world.check_that_it_goes_on();
}

TEST_CASE("an eject that is cancelled before its commit leaves the guest running") {
  EjectWorld world;
  world.anvil.hypervisor.stall_save();
  const auto job = world.anvil.host().eject(world.capsule);
  REQUIRE(is_suspended(world));
  world.anvil.host().cancel(job);
  CHECK(world.anvil.end_of(job).result == "cancelled");
  world.check_that_it_goes_on();
  world.check_that_it_ejects(Sequence(2));
}

TEST_CASE("an eject that is cancelled after its commit is done all the same") {
  EjectWorld world;
  auto& anvil = world.anvil;
  const auto job = anvil.host().eject(world.capsule);
  REQUIRE(anvil.until([&] {
    const auto seen = world.examine(world.capsule);
    return seen.newest && seen.newest->head.generation.seq == Sequence(2);
  }));
  if (anvil.ends.empty() || anvil.ends.back().id != job) anvil.host().cancel(job);
  CHECK(anvil.end_of(job).result == "done");
  CHECK(anvil.state(world.capsule) == "safe");
}

TEST_CASE("an eject that takes longer than its deadline leaves the guest running") {
  EjectWorld world([](Config& config) { config.eject.deadline = std::chrono::seconds(1); });
  world.anvil.hypervisor.stall_save();
  const auto end = world.eject();
  CHECK(end.find("longer than 1 seconds") != std::string::npos);
  world.check_that_it_goes_on();
}

TEST_CASE("libvirt being lost during an eject loses nothing") {
  EjectWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.stream_bytes = 16 << 20;
  const auto job = anvil.host().eject(world.capsule);
  REQUIRE(is_suspended(world));
  anvil.hypervisor.lose_connection();
  anvil.end_of(job);
  anvil.hypervisor.regain_connection();
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  const auto generation = world.head(world.capsule).generation.seq;
  const auto entry = anvil.guest(world.guest);
  REQUIRE(entry);
  const bool on_device = generation == Sequence(2) && entry->state == GuestState::shut_off;
  const bool here = entry->state == GuestState::running && anvil.counter(world.guest) == 2;
  CHECK((on_device || here));
}

TEST_CASE("a guest that shut itself down is checked in without memory") {
  EjectWorld world;
  world.anvil.hypervisor.guest_shuts_down(world.guest);
  REQUIRE(world.anvil.until(
      [&] { return world.anvil.detail(world.capsule).find("shut down") != std::string::npos; }));
  CHECK(world.eject() == "done");
  CHECK(world.anvil.state(world.capsule) == "safe");
  CHECK_FALSE(world.head(world.capsule).hibernation);
  CHECK(world.head(world.capsule).disks.at(0).chain.size() == 3);
}

TEST_CASE("a guest that somebody had paused is still paused after its travel") {
  EjectWorld world;
  world.anvil.await(world.anvil.hypervisor.pause(world.guest));
  world.check_that_it_ejects(Sequence(2));
  CHECK(world.head(world.capsule).hibernation->was_paused);
}

TEST_CASE("the device pulled during an eject strands the guest on this computer") {
  EjectWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.stall_save();
  const auto job = anvil.host().eject(world.capsule);
  REQUIRE(is_suspended(world));
  anvil.pull();
  const auto end = anvil.end_of(job);
  CHECK(end.result != "cancelled");
  CHECK(end.message.find("pulled out") != std::string::npos);
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(world.head(world.capsule).generation.seq == Sequence(1));
  CHECK(std::filesystem::exists(anvil.session_directory(world.capsule) / "guest.save"));
  CHECK(anvil.counter(world.guest) == 2);
}

TEST_CASE(
    "the device pulled after all memory has left the guest: it goes on from the second copy") {
  EjectWorld world;
  auto& anvil = world.anvil;
  const auto saves = anvil.hypervisor.count(Call::save);
  anvil.hypervisor.at_streams_end = [&] {
    std::promise<void> pulled;
    boost::asio::post(world.loop.io, [&] {
      anvil.pull();
      pulled.set_value();
    });
    pulled.get_future().wait();
  };
  const auto job = anvil.host().eject(world.capsule);
  CHECK(anvil.end_of(job).result != "done");
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  // QEMU gives its memory away once only.
  CHECK(anvil.hypervisor.count(Call::save) == saves + 1);
  CHECK(anvil.guest(world.guest)->state == GuestState::shut_off);
  CHECK(std::filesystem::exists(anvil.session_directory(world.capsule) / "guest.save"));
  anvil.hypervisor.at_streams_end = {};
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.wait_for_jobs();
  world.check_that_it_goes_on();
  CHECK_FALSE(std::filesystem::exists(anvil.session_directory(world.capsule) / "guest.save"));
  world.check_that_it_ejects(Sequence(2));
}

TEST_CASE("a second eject asked for during the first waits for the same job") {
  EjectWorld world;
  const auto first = world.anvil.host().eject(world.capsule);
  CHECK(world.anvil.host().eject(world.capsule) == first);
  CHECK(world.anvil.end_of(first).result == "done");
}

}  // namespace satchel::test
