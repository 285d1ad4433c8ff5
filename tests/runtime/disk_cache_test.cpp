// What this computer keeps of machines' disks: who makes way for whom.
#include "runtime/disk_cache.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/host_world.hpp"

namespace satchel::test {

namespace {

namespace fs = std::filesystem;

struct CacheWorld {
  Scratch scratch;
  KeptLog log;
  SessionShelf shelf{scratch.path()};
  CapsuleId other{Uuid::random()};
  fs::path copy = scratch.path() / "disks" / other.value.str() / "a-copy";

  CacheWorld() {
    fs::create_directories(copy.parent_path());
    std::ofstream(copy) << std::string(1 << 20, 'c');
  }
  bool make_room(ByteCount most, ByteCount size) {
    Config config;
    config.cache.disks = most;
    config.space.keep_free_host = ByteCount();
    const DiskCache cache(scratch.path() / "disks", config, shelf, log);
    format::Object file;
    file.path = "vda/image.qcow2";
    file.size = size;
    return cache.make_room(CapsuleId(Uuid::random()), {file}, ByteCount());
  }
};

}  // namespace

TEST_CASE("copies of another machine make way for those that fit then") {
  CacheWorld world;
  CHECK(world.make_room(mebibytes(4), mebibytes(4)));
  CHECK_FALSE(fs::exists(world.copy));
}

TEST_CASE("copies of another machine stay where what is wanted can never fit") {
  CacheWorld world;
  SECTION("it is more than may be kept") {
    CHECK_FALSE(world.make_room(mebibytes(4), mebibytes(5)));
  }
  SECTION("it is more than this computer has") {
    CHECK_FALSE(world.make_room(mebibytes(1U << 30), mebibytes(1U << 30)));
  }
  CHECK(fs::exists(world.copy));
}

}  // namespace satchel::test
