// Disks that lend pages to a machine's memory, and what becomes of them meanwhile.
#include <filesystem>

#include "runtime/borrow_world.hpp"

namespace satchel::test {

namespace {

namespace fs = std::filesystem;

struct LendingWorld : BorrowWorld {
  using BorrowWorld::BorrowWorld;

  /// What the guest does to a file of its disk.
  void change(TestHost& host, const std::string& overlay, const std::string& how) {
    harm(host.session_directory(capsule) / overlay, how);
  }
  /// The same of any qcow2 file, behind everybody's back.
  static void harm(const fs::path& file, const std::string& how) {
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
    run("qemu-io -c '" + how +
        "' 'json:{\"driver\":\"qcow2\",\"backing\":null,\"file\":{\"driver\":\"file\","
        "\"locking\":\"off\",\"filename\":\"" +
        file.string() + "\"}}'");
  }
  static void flip_last_byte(const fs::path& path) {
    fs::permissions(path, fs::perms::owner_write, fs::perm_options::add);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-1, std::ios::end);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(-1, std::ios::end);
    file.put(byte);
  }
  fs::path layer_of(std::uint64_t seq) const {
    return on_device(capsule) / "vda" / ("layer-" + std::to_string(seq) + ".qcow2");
  }
};

}  // namespace

TEST_CASE("after an eject that failed once the device had it, nothing overwritten is borrowed") {
  LendingWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.fail_save_at_header();
  CHECK(world.eject(anvil).find("goes on running here") != std::string::npos);
  anvil.wait_for_jobs();
  CHECK(world.borrows());
  SECTION("overwritten") { world.write(anvil, 12, 5); }
  SECTION("discarded") { world.change(anvil, "vda.qcow2", "discard 768k 64k"); }
  SECTION("zeroed") { world.change(anvil, "vda.qcow2", "write -z -u 768k 64k"); }
  SECTION("one sector") { world.change(anvil, "vda.qcow2", "write -P 3 769k 512"); }
  SECTION("left alone") {}
  REQUIRE(world.eject(anvil) == "done");
  world.carry(anvil, world.bellows);
}

TEST_CASE("what overlays of a checkpoint that did not arrive hold is no more borrowed") {
  LendingWorld world;
  auto& anvil = world.anvil;
  REQUIRE(world.eject(anvil) == "done");
  CHECK(world.borrows());
  world.carry(anvil, anvil);
  const auto layer = world.layer_of(world.head(world.capsule).generation.seq.value + 1);
  SECTION("written before it") { world.write(anvil, 12, 5); }
  SECTION("written after it") {}
  fs::create_directories(layer / "in the way");
  CHECK(anvil.result([&] { return anvil.host().checkpoint(world.capsule); }) != "done");
  fs::remove_all(layer);
  world.change(anvil, "vda-1.qcow2", "write -P 9 768k 4k");
  REQUIRE(world.eject(anvil) == "done");
  world.carry(anvil, world.bellows);
}

TEST_CASE("a way back finds what the generation borrowed") {
  LendingWorld world([](Config& config) {
    config.generations.keep = 6;
    config.generations.free_percent = 0;
  });
  auto& anvil = world.anvil;
  REQUIRE(world.eject(anvil) == "done");
  const auto first = world.head(world.capsule).generation.seq;
  CHECK(world.borrows());
  world.carry(anvil, anvil);
  anvil.hypervisor.tick(world.guest);
  world.write(anvil, 12, 7);
  REQUIRE(world.eject(anvil) == "done");
  world.carry(anvil, anvil, 5);
  world.write(anvil, 12, 8);
  REQUIRE(world.eject(anvil) == "done");
  world.rest(anvil);
  REQUIRE(anvil.result([&] {
    return anvil.host().rollback(world.capsule, first, Commands::WhenNeeded::refuse);
  }) == "done");
  world.carry(anvil, world.bellows);
  REQUIRE(world.eject(world.bellows) == "done");
  world.carry(world.bellows, anvil);
}

TEST_CASE("nothing is borrowed any more of a disk that a verification found damaged") {
  LendingWorld world;
  auto& bellows = world.bellows;
  REQUIRE(world.eject(world.anvil) == "done");
  CHECK(world.borrows());
  const auto lender = world.layer_of(world.head(world.capsule).generation.seq.value);
  world.carry(world.anvil, bellows);
  LendingWorld::flip_last_byte(lender);
  CHECK(bellows.result([&] { return bellows.host().verify(world.capsule); }) != "done");
  REQUIRE(world.eject(bellows) == "done");
  CHECK(bellows.log.says("stored anew"));
  CHECK(world.codec() == "zstd-pages-2");
}

TEST_CASE("a merge ends the look at what is borrowed, and has it looked at where it is then") {
  LendingWorld world;
  auto& bellows = world.bellows;
  REQUIRE(world.eject(world.anvil) == "done");
  CHECK(world.borrows());
  world.carry(world.anvil, bellows);
  REQUIRE(world.eject(bellows) == "done");
  world.rest(bellows);
  REQUIRE(world.launch(bellows) == "done");
  // It need not be waited for.
  REQUIRE(world.merge(bellows) == "done");
  INFO(bellows.log.all());
  CHECK(world.chain() == merged);
  CHECK_FALSE(bellows.log.says("stored anew"));
  // Were it wrong there, that would be found before anybody relies on it.
  REQUIRE(bellows.until([&] { return !bellows.is_checking(world.capsule); }));
  REQUIRE(world.eject(bellows) == "done");
  CHECK(world.codec() == "zstd-pages-3");
  world.carry(bellows, world.anvil);
}

TEST_CASE("what a disk shows wrong by now is found before an eject relies on it") {
  LendingWorld world;
  auto& bellows = world.bellows;
  REQUIRE(world.eject(world.anvil) == "done");
  CHECK(world.borrows());
  world.carry(world.anvil, bellows);
  REQUIRE(world.merge(bellows) == "done");
  REQUIRE(bellows.until([&] { return !bellows.is_checking(world.capsule); }));
  bellows.stop();
  world.harm(world.on_device(world.capsule) / "vda/cow.qcow2", "write -P 66 768k 64k");
  bellows.start();
  REQUIRE(bellows.reaches(world.capsule, "running"));
  bellows.wait_for_jobs();
  REQUIRE(world.eject(bellows) == "done");
  INFO(bellows.log.all());
  CHECK(bellows.log.says("stored anew"));
  CHECK(world.codec() == "zstd-pages-2");
}

}  // namespace satchel::test
