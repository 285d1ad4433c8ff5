// Merging beside a guest that runs: whatever ends it, nothing that is read changes.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "runtime/upkeep_world.hpp"

namespace satchel::test {

namespace {

/// The layers are due, and their merge is so slow that something can come between. What is compared
/// before it would be as slow: disk_check_test.cpp.
void slowly(Config& config) {
  two_layers_at_most(config);
  config.merge.rate = ByteCount(32 << 10);
  config.check.disks = DisksChecked::none;
}

/// Runs the loop until the merge has something to be ended for; gives its job.
JobId begun(RunningWorld& world) {
  auto& anvil = world.anvil;
  REQUIRE(anvil.until([&] {
    const auto& jobs = anvil.host().view().running_jobs;
    return !jobs.empty() && jobs.front().operation == "merge" && jobs.front().done.value > 0;
  }));
  CHECK(anvil.state(world.capsule) == "merging");
  CHECK_FALSE(anvil.capsule(world.capsule)->can_unplug);
  return anvil.host().view().running_jobs.front().id;
}

}  // namespace

TEST_CASE("layers are merged beside a running guest, whose journal learns the shorter chain") {
  RunningWorld world(two_layers_at_most);
  REQUIRE(world.comes_to_no_layers(world.anvil));
  INFO(world.anvil.log.all());
  CHECK(world.chain() == merged);
  world.check_that_nothing_is_lost();
  CHECK(world.chain_in_journal(world.anvil) == merged);
  // The guest keeps the files that it began with; what is merged is hidden from it.
  CHECK(world.anvil.hypervisor.chain(world.guest, "vda").size() == 6);
  CHECK(world.head(world.capsule).checked_out);
  CHECK(world.eject(world.anvil) == "done");
  CHECK(world.chain().size() == 3);
}

TEST_CASE("an eject or a cancel ends a merge, and the chain is as good as it was") {
  RunningWorld world(slowly);
  auto& anvil = world.anvil;
  const auto job = begun(world);
  SECTION("by a cancel") {
    anvil.host().cancel(job);
    CHECK(anvil.end_of(job).result == "cancelled");
    world.check_that_nothing_is_lost();
    world.check_that_it_ejects();
  }
  SECTION("by an eject") {
    const auto eject = anvil.host().eject(world.capsule);
    CHECK(eject != job);
    CHECK(anvil.end_of(eject).result == "done");
    CHECK(anvil.end_of(job).result == "cancelled");
    CHECK(anvil.state(world.capsule) == "safe");
    CHECK(world.content() == world.before);
  }
}

TEST_CASE("a device pulled during a merge strands the guest, and back again all goes on") {
  RunningWorld world(slowly);
  auto& anvil = world.anvil;
  const auto job = begun(world);
  anvil.pull();
  CHECK(anvil.end_of(job).result != "done");
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  CHECK(std::filesystem::exists(anvil.session_directory(world.capsule) / "guest.save"));
  anvil.plug_only();
  REQUIRE(world.comes_to_no_layers(anvil));
  world.check_that_nothing_is_lost();
  CHECK(anvil.hypervisor.chain(world.guest, "vda").size() == 6);
  CHECK(world.chain() == merged);
  world.check_that_it_ejects();
}

TEST_CASE("a stranded guest gets the chain that was committed, whatever its save image says") {
  RunningWorld world;
  auto& anvil = world.anvil;
  CHECK(world.merge(anvil) == "done");
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  anvil.plug();
  world.check_that_nothing_is_lost();
  CHECK(anvil.hypervisor.chain(world.guest, "vda").size() == 3);
  world.check_that_it_ejects();
}

TEST_CASE("a merge that fails anywhere leaves the machine running, says why, and can be repeated") {
  RunningWorld world;
  auto& anvil = world.anvil;
  // The one after it says that a merge has begun.
  const auto next = world.head(world.capsule).generation.seq.value + 2;
  const auto head = world.on_device(world.capsule) / "heads" / (std::to_string(next) + ".json");
  const auto layer = world.on_device(world.capsule) / world.chain().back();
  const auto kept = world.scratch.path() / "layer";
  std::filesystem::copy_file(layer, kept);
  SECTION("at the guest") { anvil.hypervisor.fail(FakeHypervisor::Call::find); }
  SECTION("at a layer") { std::fstream(layer, std::ios::in | std::ios::out) << "not qcow2"; }
  SECTION("at the commit") { std::filesystem::create_directories(head / "in the way"); }
  CHECK(world.merge(anvil) != "done");
  std::filesystem::copy_file(kept, layer, std::filesystem::copy_options::overwrite_existing);
  world.check_that_nothing_is_lost();
  CHECK(anvil.capsule(world.capsule)->detail.find("The machine runs on this computer.") !=
        std::string::npos);
  std::filesystem::remove_all(head);
  CHECK(world.merge(anvil) == "done");
  CHECK(world.chain() == merged);
}

TEST_CASE("a guest that shuts down during a merge does not end it") {
  RunningWorld world([](Config& config) {
    slowly(config);
    config.merge.rate = ByteCount(128 << 10);
  });
  auto& anvil = world.anvil;
  begun(world);
  anvil.hypervisor.guest_shuts_down(world.guest);
  CHECK(world.comes_to_no_layers(anvil));
  INFO(anvil.log.all());
  CHECK(anvil.state(world.capsule) == "running");
  CHECK(anvil.detail(world.capsule).find("shut down") != std::string::npos);
  CHECK(world.content() == world.before);
}

TEST_CASE("with its guest off a session's layers are merged at rest") {
  RunningWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.guest_shuts_down(world.guest);
  REQUIRE(anvil.until(
      [&] { return anvil.detail(world.capsule).find("shut down") != std::string::npos; }));
  CHECK(world.merge(anvil) == "done");
  CHECK(world.chain() == merged);
  CHECK(world.content() == world.before);
  CHECK(world.chain_in_journal(anvil) == merged);
  world.write(anvil, 10, 77);
  CHECK(world.eject(anvil) == "done");
  CHECK(world.content().at(10 * (64 << 10)) == 77);
}

TEST_CASE("a daemon killed between the commit of a merge and its journal goes on from the head") {
  RunningWorld world;
  auto& anvil = world.anvil;
  const auto journal = anvil.session_directory(world.capsule) / "journal";
  const auto kept = world.scratch.path() / "journal";
  std::filesystem::copy_file(journal, kept);
  CHECK(world.merge(anvil) == "done");
  anvil.stop();
  std::filesystem::copy_file(kept, journal, std::filesystem::copy_options::overwrite_existing);
  anvil.start();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  world.check_that_it_ejects();
  CHECK(world.chain().size() == 3);
  CHECK(world.chain().at(1) == "vda/cow.qcow2");
}

TEST_CASE("an eject that merges too leaves one COW file, and stands when the merge fails") {
  RunningWorld world;
  auto& anvil = world.anvil;
  SECTION("it does") {
    CHECK(world.eject(anvil, Commands::Layers::merge) == "done");
    CHECK(world.chain() == merged);
    CHECK(anvil.ends.back().message.starts_with("There is no way back any more"));
  }
  SECTION("its commit fails") {
    // The eject takes one generation, the commit that says that a merge has begun is the one after.
    const auto next = world.head(world.capsule).generation.seq.value + 2;
    const auto head = world.on_device(world.capsule) / "heads" / (std::to_string(next) + ".json");
    std::filesystem::create_directories(head / "in the way");
    CHECK(world.eject(anvil, Commands::Layers::merge) == "done");
    CHECK(anvil.ends.back().message.find("its layers are not merged") != std::string::npos);
    CHECK(world.chain().size() == 6);
  }
  INFO(anvil.log.all());
  CHECK(anvil.state(world.capsule) == "safe");
  CHECK(world.content() == world.before);
  CHECK(world.head(world.capsule).hibernation);
  CHECK(anvil.until([&] { return !anvil.has_session(world.capsule); }));
}

}  // namespace satchel::test
