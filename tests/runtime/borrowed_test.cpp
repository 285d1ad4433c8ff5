// What a machine's disks have of its memory goes to the device with them alone, and the machine
// comes back all the same.
#include "runtime/borrow_world.hpp"

namespace satchel::test {

TEST_CASE("what the disk has is not written with the memory, and the machine goes on anywhere") {
  BorrowWorld world;
  REQUIRE(world.eject(world.anvil) == "done");
  INFO(world.anvil.log.all());
  CHECK(world.borrows());
  world.carry(world.anvil, world.bellows);
  REQUIRE(world.eject(world.bellows) == "done");
  CHECK(world.codec() == "zstd-pages-3");
  CHECK(world.written().cells == 0);
  world.carry(world.bellows, world.anvil);
  // Back at a computer that has copies of it.
  REQUIRE(world.eject(world.anvil) == "done");
  CHECK(world.written().cells == 0);
  world.carry(world.anvil, world.anvil);
}

TEST_CASE("what was overwritten on the disk since is borrowed no more") {
  BorrowWorld world;
  REQUIRE(world.eject(world.anvil) == "done");
  world.carry(world.anvil, world.bellows);
  world.write(world.bellows, 12, 5);
  REQUIRE(world.eject(world.bellows) == "done");
  CHECK(world.written().borrowed == 0);
  CHECK(world.written().cells >= 4);
  world.carry(world.bellows, world.anvil);
}

TEST_CASE("borrowed pages are found behind merges and folds") {
  BorrowWorld world;
  REQUIRE(world.eject(world.anvil) == "done");
  CHECK(world.borrows());
  world.rest(world.anvil);
  REQUIRE(world.merge(world.anvil) == "done");
  CHECK(world.chain() == merged);
  world.carry(world.anvil, world.bellows);
  REQUIRE(world.eject(world.bellows) == "done");
  world.rest(world.bellows);
  REQUIRE(world.merge(world.bellows) == "done");
  REQUIRE(world.fold(world.bellows) == "done");
  CHECK(world.codec() == "zstd-pages-3");
  world.carry(world.bellows, world.anvil);
}

TEST_CASE("the second copy has what the pulled device alone would lend") {
  BorrowWorld world;
  world.eject_with_a_pull_at_the_streams_end(world.anvil);
  world.check_that_the_second_copy_goes_on(world.anvil, world.bellows);
}

TEST_CASE("the second copy has what earlier generations borrowed as well") {
  BorrowWorld world;
  REQUIRE(world.eject(world.anvil) == "done");
  CHECK(world.borrows());
  world.carry(world.anvil, world.anvil);
  world.eject_with_a_pull_at_the_streams_end(world.anvil);
  world.check_that_the_second_copy_goes_on(world.anvil, world.bellows);
}

TEST_CASE("the second copy has what a computer has only read that was borrowed elsewhere") {
  BorrowWorld world;
  REQUIRE(world.eject(world.anvil) == "done");
  CHECK(world.borrows());
  world.carry(world.anvil, world.bellows);
  SECTION("whole") {}
  SECTION("with a copy here that was damaged since") {
    std::size_t damaged = 0;
    for (const auto& each : std::filesystem::recursive_directory_iterator(
             world.bellows.session_directory(world.capsule).parent_path().parent_path() / "cache"))
      if (each.path().extension() == ".pages") {
        std::filesystem::resize_file(each.path(), std::filesystem::file_size(each.path()) - 20);
        ++damaged;
      }
    CHECK(damaged == 1);
  }
  world.eject_with_a_pull_at_the_streams_end(world.bellows);
  world.check_that_the_second_copy_goes_on(world.bellows, world.anvil);
}

TEST_CASE("nothing is borrowed of a disk that was written to during the save") {
  BorrowWorld world;
  // More than a pipe holds: when half of it is written, what the disk has was looked at.
  world.anvil.hypervisor.stream_bytes = 8U << 20;
  world.anvil.hypervisor.within_stream = [&] { world.write(world.anvil, 12, 8); };
  const auto end = world.anvil.end_of(world.anvil.host().eject(world.capsule));
  INFO(world.anvil.log.all());
  CHECK(end.result != "done");
  CHECK_THAT(end.message, Catch::Contains("wrote to its disks while it was being saved"));
  world.anvil.hypervisor.within_stream = {};
  CHECK(world.anvil.guest(world.guest)->state == GuestState::running);
  REQUIRE(world.eject(world.anvil) == "done");
  CHECK(world.written().borrowed == 0);
  world.carry(world.anvil, world.bellows);
}

TEST_CASE("a checkpoint of a machine that runs on borrows nothing") {
  BorrowWorld world;
  REQUIRE(world.eject(world.anvil) == "done");
  world.carry(world.anvil, world.anvil);
  auto& host = world.anvil;
  REQUIRE(host.result([&] { return host.host().checkpoint(world.capsule); }) == "done");
  INFO(host.log.all());
  CHECK(world.written().borrowed == 0);
  CHECK(world.written().cells >= 4);
  REQUIRE(world.eject(host) == "done");
  world.carry(host, world.bellows);
}

TEST_CASE("memory that borrows of its disks still does when it was compacted") {
  BorrowWorld world;
  auto& anvil = world.anvil;
  REQUIRE(world.eject(anvil) == "done");
  REQUIRE(world.borrows());
  world.rest(anvil);
  REQUIRE(world.launch(anvil) == "done");
  REQUIRE(world.eject(anvil) == "done");
  REQUIRE(world.head(world.capsule).hibernation->segments->size() == 1);
  world.rest(anvil);
  REQUIRE(anvil.result([&] {
    return anvil.host().compact(world.capsule, Commands::WhenNeeded::refuse);
  }) == "done");
  INFO(anvil.log.all());
  CHECK(world.head(world.capsule).history.back().what == "compact");
  CHECK(world.borrows());
  CHECK(world.head(world.capsule).hibernation->segments == std::vector<std::string>{});
  world.carry(anvil, world.bellows);
}

}  // namespace satchel::test
