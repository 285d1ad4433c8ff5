// Checkpoints: the device holds what a machine was while the machine goes on, and an eject has only
// the rest to write.
#include <catch2/catch.hpp>
#include <fstream>

#include "base/host_file.hpp"
#include "disk/qemu_img.hpp"
#include "runtime/running_world.hpp"
#include "session/session.hpp"
#include "session/session_shelf.hpp"

namespace satchel::test {

namespace {

using Call = FakeHypervisor::Call;

/// A machine that was packed while it ran, and has counted to two.
struct CheckpointWorld : RunningWorld {
  explicit CheckpointWorld(std::function<void(Config&)> adjust = [](Config&) {})
      : RunningWorld(2, [&](HostWorld& world) { adjust(world.anvil.config); }) {}

  std::string checkpoint() {
    return anvil.result([&] { return anvil.host().checkpoint(capsule); });
  }
  /// The disk's overlays that the guest runs on, lowest first.
  std::vector<std::string> overlays() const { return anvil.hypervisor.overlays(guest, "vda"); }
  std::vector<std::string> chain() const { return head(capsule).disks.at(0).chain; }
  void check_that_it_runs() {
    INFO(anvil.log.all());
    CHECK(anvil.state(capsule) == "running");
    CHECK(anvil.guest(guest)->state == GuestState::running);
    CHECK(anvil.host().view().running_jobs.empty());
  }
  /// At the other computer, as the device has it; gives the count.
  std::uint64_t goes_on_elsewhere(bool take_over) {
    anvil.pull();
    bellows.start();
    bellows.plug();
    REQUIRE(bellows.reaches(capsule, "ready"));
    LaunchRequest request;
    request.capsule = capsule;
    if (take_over) request.when_checked_out = LaunchRequest::CheckedOut::take_over;
    INFO(bellows.log.all());
    REQUIRE(bellows.result([&] { return bellows.host().launch(request); }) == "done");
    return bellows.counter(guest);
  }
};

Session journal_in(const std::filesystem::path& directory) {
  return read_journal(read_host_file(directory / "journal", LastLink::follow)).value();
}

}  // namespace

TEST_CASE("a checkpoint is a generation with memory that is still checked out") {
  CheckpointWorld world;
  CHECK(world.checkpoint() == "done");
  world.check_that_it_runs();
  const auto head = world.head(world.capsule);
  CHECK(head.generation.seq == Sequence(2));
  CHECK(head.history.back().what == "checkpoint");
  CHECK(head.hibernation);
  REQUIRE(head.checked_out);
  CHECK(head.checked_out->host_name == "anvil");
  CHECK(world.chain() ==
        std::vector<std::string>{"vda/image.qcow2", "vda/cow.qcow2", "vda/layer-2.qcow2"});
  CHECK(world.overlays().size() == 2);
}

TEST_CASE("another computer goes on from the checkpoint when the device was pulled") {
  CheckpointWorld world;
  REQUIRE(world.checkpoint() == "done");
  world.anvil.hypervisor.tick(world.guest);
  CHECK(world.goes_on_elsewhere(true) == 2);
  // What the first computer did since is there.
  CHECK(world.anvil.reaches(world.capsule, "stranded"));
  CHECK(world.anvil.has_session(world.capsule));
}

TEST_CASE("an eject after a checkpoint writes a layer over the checkpoint's") {
  CheckpointWorld world;
  REQUIRE(world.checkpoint() == "done");
  world.anvil.hypervisor.tick(world.guest);
  CHECK(world.eject() == "done");
  CHECK(world.chain() == std::vector<std::string>{"vda/image.qcow2", "vda/cow.qcow2",
                                                  "vda/layer-2.qcow2", "vda/layer-3.qcow2"});
  CHECK_FALSE(world.head(world.capsule).checked_out);
  CHECK(world.goes_on_elsewhere(false) == 3);
}

TEST_CASE("overlays of many checkpoints are merged on this computer") {
  CheckpointWorld world;
  for (int number = 1; number <= 5; ++number) CHECK(world.checkpoint() == "done");
  CHECK(world.overlays().size() == 2);
  CHECK(world.head(world.capsule).generation.seq == Sequence(6));
  for (const auto& path : world.overlays()) CHECK(std::filesystem::exists(path));
  CHECK(world.eject() == "done");
  CHECK(world.anvil.until([&] { return !world.anvil.has_session(world.capsule); }));
  for (const auto& path : world.overlays()) CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a snapshot that fails leaves the session as it was") {
  CheckpointWorld world;
  auto& hypervisor = world.anvil.hypervisor;
  const auto before = world.overlays();
  SECTION("at once") { hypervisor.fail(Call::snapshot); }
  SECTION("at the stream's end") { hypervisor.fail_save_after_stream(); }
  SECTION("when the overlays are put over") { hypervisor.fail(Call::overlay); }
  CHECK(world.checkpoint() != "done");
  world.check_that_it_runs();
  CHECK(world.overlays() == before);
  CHECK(world.head(world.capsule).generation.seq == Sequence(1));
  CHECK(world.checkpoint() == "done");
  CHECK(world.eject() == "done");
  CHECK(world.goes_on_elsewhere(false) == 2);
}

TEST_CASE("what a checkpoint could not ship goes with the next eject") {
  CheckpointWorld world;
  // The device's directory takes no layer.
  const auto layer = world.on_device(world.capsule) / "vda" / "layer-2.qcow2";
  std::filesystem::create_directories(layer / "in the way");
  CHECK(world.checkpoint() != "done");
  world.check_that_it_runs();
  CHECK(world.overlays().size() == 2);
  std::filesystem::remove_all(layer);
  CHECK(world.eject() == "done");
  CHECK(world.chain() == std::vector<std::string>{"vda/image.qcow2", "vda/cow.qcow2",
                                                  "vda/layer-2-1.qcow2", "vda/layer-2.qcow2"});
  CHECK(world.goes_on_elsewhere(false) == 2);
}

TEST_CASE("checkpoints that can't be shipped are not tried by themselves for ever") {
  CheckpointWorld world([](Config& config) { config.checkpoint.every = std::chrono::seconds(1); });
  auto& anvil = world.anvil;
  const auto layer = world.on_device(world.capsule) / "vda" / "layer-2.qcow2";
  std::filesystem::create_directories(layer / "in the way");
  CHECK(anvil.until([&] { return anvil.log.says("there are no more by themselves"); }));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(world.overlays().size() == 5);
  world.check_that_it_runs();
  std::filesystem::remove_all(layer);
  CHECK(world.checkpoint() == "done");
  CHECK(world.overlays().size() == 2);
  CHECK(world.eject() == "done");
}

TEST_CASE("an eject that is asked for meanwhile comes after the checkpoint") {
  CheckpointWorld world;
  auto& anvil = world.anvil;
  const auto first = anvil.host().checkpoint(world.capsule);
  const auto second = anvil.host().eject(world.capsule);
  CHECK(second != first);
  CHECK(anvil.end_of(second).result == "done");
  CHECK(anvil.state(world.capsule) == "safe");
  CHECK(world.head(world.capsule).generation.seq == Sequence(3));
  CHECK(world.goes_on_elsewhere(false) == 2);
}

TEST_CASE("a daemon that was ended before it noted the snapshot loses nothing") {
  CheckpointWorld world;
  auto& anvil = world.anvil;
  REQUIRE(world.checkpoint() == "done");
  anvil.stop();
  anvil.start();
  CHECK(anvil.reaches(world.capsule, "running"));
  anvil.hypervisor.tick(world.guest);
  CHECK(world.checkpoint() == "done");
  CHECK(world.eject() == "done");
  CHECK(world.goes_on_elsewhere(false) == 3);
}

TEST_CASE("a daemon that was killed before its guest got new overlays goes on with the old ones") {
  CheckpointWorld world;
  auto& anvil = world.anvil;
  anvil.stop();
  const auto directory = anvil.session_directory(world.capsule);
  const SessionShelf shelf(directory.parent_path().parent_path());
  auto session = journal_in(directory);
  auto& disk = session.disks.at(0);
  const auto overlay = (directory / "vda-1.qcow2").string();
  disk::create_overlay({overlay, mebibytes(1), "vda.qcow2"});
  disk.frozen.push_back(std::exchange(disk.path, overlay));
  shelf.save(session);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.hypervisor.tick(world.guest);
  SECTION("an eject") {}
  SECTION("a checkpoint, and an eject") { REQUIRE(world.checkpoint() == "done"); }
  INFO(anvil.log.all());
  CHECK(world.eject() == "done");
  CHECK(world.goes_on_elsewhere(false) == 3);
}

TEST_CASE("a daemon that was ended before it noted a merge goes on from what the device has") {
  CheckpointWorld world;
  auto& anvil = world.anvil;
  REQUIRE(world.checkpoint() == "done");
  const auto before = journal_in(anvil.session_directory(world.capsule));
  const auto file = anvil.session_directory(world.capsule) / "journal";
  const auto copy = world.scratch.path() / "journal";
  std::filesystem::copy(file, copy);
  REQUIRE(anvil.result([&] {
    return anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
  }) == "done");
  anvil.stop();
  std::filesystem::copy(copy, file, std::filesystem::copy_options::overwrite_existing);
  anvil.start();
  CHECK(anvil.reaches(world.capsule, "running"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  const auto after = journal_in(anvil.session_directory(world.capsule));
  CHECK(after.base != before.base);
  CHECK(after.base == world.head(world.capsule).generation.id);
  CHECK(after.disks.at(0).chain == world.chain());
  CHECK(world.eject() == "done");
  CHECK(world.goes_on_elsewhere(false) == 2);
}

TEST_CASE("a checkpoint is refused where there is nothing to take") {
  CheckpointWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.guest_shuts_down(world.guest);
  anvil.wait_for_jobs();
  CHECK_THROWS_WITH(anvil.host().checkpoint(world.capsule),
                    Catch::Contains("Only a machine that runs"));
}

}  // namespace satchel::test
