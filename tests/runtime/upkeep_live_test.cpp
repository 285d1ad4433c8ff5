// Merging beside a guest that runs: whatever ends it, nothing that is read changes.
#include <catch2/catch.hpp>
#include <filesystem>

#include "runtime/upkeep_world.hpp"

namespace satchel::test {

using Call = FakeHypervisor::Call;

TEST_CASE("layers are merged beside a running guest, whose journal learns the shorter chain") {
  RunningWorld world(two_layers_at_most);
  REQUIRE(world.comes_to_no_layers(world.anvil));
  INFO(world.anvil.log.all());
  CHECK(world.chain() == merged);
  world.check_that_nothing_is_lost();
  CHECK(world.chain_in_journal(world.anvil) == merged);
  CHECK(world.anvil.hypervisor.chain(world.guest, "vda").size() == 3);
  CHECK(world.head(world.capsule).checked_out);
  CHECK(world.eject(world.anvil) == "done");
  CHECK(world.chain().size() == 3);
}

TEST_CASE("an eject or a cancel ends a merge, and the chain is as good as it was") {
  RunningWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.hold_commits();
  const auto job = anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
  REQUIRE(anvil.until([&] { return anvil.hypervisor.has_block_job(world.guest); }));
  CHECK(anvil.state(world.capsule) == "merging");
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
  RunningWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.hold_commits();
  const auto job = anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
  REQUIRE(anvil.until([&] { return anvil.hypervisor.has_block_job(world.guest); }));
  anvil.pull();
  CHECK(anvil.end_of(job).result != "done");
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  CHECK(std::filesystem::exists(anvil.session_directory(world.capsule) / "guest.save"));
  anvil.hypervisor.let_commits_go();
  anvil.plug();
  world.check_that_nothing_is_lost();
  CHECK(anvil.hypervisor.chain(world.guest, "vda").size() == 6);
  CHECK(world.merge(anvil) == "done");
  CHECK(world.chain() == merged);
  world.check_that_it_ejects();
}

TEST_CASE("a guest is not given files that the device may not have got all of") {
  // The live chain is short already, and the device went before the commit.
  RunningWorld world;
  auto& anvil = world.anvil;
  const auto heads = world.on_device(world.capsule) / "heads" /
                     (std::to_string(world.head(world.capsule).generation.seq.value + 1) + ".json");
  std::filesystem::create_directories(heads / "in the way");
  CHECK(world.merge(anvil) != "done");
  std::filesystem::remove_all(heads);
  CHECK(anvil.hypervisor.chain(world.guest, "vda").size() == 3);
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  anvil.plug();
  world.check_that_nothing_is_lost();
  CHECK(anvil.hypervisor.chain(world.guest, "vda").size() == 6);
}

TEST_CASE("a merge that fails anywhere leaves the machine running, says why, and can be repeated") {
  RunningWorld world;
  auto& anvil = world.anvil;
  const auto next = world.head(world.capsule).generation.seq.value + 1;
  const auto head = world.on_device(world.capsule) / "heads" / (std::to_string(next) + ".json");
  SECTION("at the description") { anvil.hypervisor.fail(Call::describe); }
  SECTION("at what an earlier daemon left") { anvil.hypervisor.fail(Call::abort_block_jobs); }
  SECTION("at its beginning") { anvil.hypervisor.fail(Call::commit); }
  SECTION("midway") { anvil.hypervisor.fail_commit_midway(Remedy::retry); }
  SECTION("at the commit") { std::filesystem::create_directories(head / "in the way"); }
  CHECK(world.merge(anvil) != "done");
  world.check_that_nothing_is_lost();
  CHECK(anvil.capsule(world.capsule)->detail.find("The machine runs on this computer.") !=
        std::string::npos);
  std::filesystem::remove_all(head);
  CHECK(world.merge(anvil) == "done");
  CHECK(world.chain() == merged);
}

TEST_CASE("a guest that shuts down during a merge is merged at rest") {
  RunningWorld world;
  auto& anvil = world.anvil;
  REQUIRE(world.eject(anvil) == "done");
  anvil.pull();
  anvil.stop();
  two_layers_at_most(anvil.config);
  anvil.hypervisor.hold_commits();
  anvil.config.on_insert = OnInsert::resume;
  anvil.start();
  anvil.plug_only();
  REQUIRE(anvil.until([&] { return anvil.hypervisor.has_block_job(world.guest); }));
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
  CHECK(anvil.hypervisor.count(Call::commit) == 0);
  world.write(anvil, 10, 77);
  CHECK(world.eject(anvil) == "done");
  CHECK(world.content().at(10 * (64 << 10)) == 77);
}

TEST_CASE("a daemon that finds a block job of its predecessor ends it, and an eject works") {
  RunningWorld world;
  world.anvil.stop();
  world.anvil.hypervisor.leave_block_job(world.guest);
  world.anvil.start();
  world.check_that_nothing_is_lost();
  CHECK_FALSE(world.anvil.hypervisor.has_block_job(world.guest));
  world.anvil.hypervisor.leave_block_job(world.guest);
  world.check_that_it_ejects();
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
    CHECK(anvil.ends.back().message.empty());
  }
  SECTION("its commit fails") {
    // The eject takes one generation, the commit that hides the merge's writes is the one after.
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
