// The layers of an eject are written while the memory is: what the device has is right all the
// same.
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/error_name.hpp"
#include "runtime/upkeep_world.hpp"

namespace satchel::test {

namespace {

namespace fs = std::filesystem;

/// A machine runs that wrote 7 to cluster 9 of its disk.
struct LayersWorld : UpkeepWorld {
  LayersWorld() : UpkeepWorld(1) {
    anvil.start();
    anvil.plug();
    REQUIRE(launch(anvil) == "done");
    write(anvil, 9, 7);
  }

  fs::path layer() const {
    return on_device(capsule) / "vda" / ("layer-" + std::to_string(next()) + ".qcow2");
  }
  /// The generation that the eject makes.
  std::uint64_t next() const { return head(capsule).generation.seq.value + 1; }
  /// Waits for a layer that is whole. On the lane that saves: while it does, the memory is not.
  static bool comes_meanwhile(const fs::path& layer) {
    const auto check = "qemu-img check -q " + layer.string() + " >/dev/null 2>&1";
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      if (fs::exists(layer) && std::system(check.c_str()) == 0) return true;
      std::this_thread::yield();
    }
    return false;
  }
  /// What stands in a cluster of the disk.
  char cluster(int number) const {
    return content().at(static_cast<std::size_t>(number) * (64U << 10));
  }
};

}  // namespace

TEST_CASE("an eject writes the disks' layers while it reads the memory") {
  LayersWorld world;
  bool came = false;
  world.anvil.hypervisor.within_stream = [&, layer = world.layer()] {
    came = LayersWorld::comes_meanwhile(layer);
  };
  REQUIRE(world.eject(world.anvil) == "done");
  INFO(world.anvil.log.all());
  CHECK(came);
  CHECK(world.cluster(9) == 7);
  CHECK(world.anvil.log.all().find("written anew") == std::string::npos);
}

TEST_CASE("what is written to a disk during a save all the same is not lost") {
  LayersWorld world;
  bool came = false;
  world.anvil.hypervisor.within_stream = [&, layer = world.layer()] {
    came = LayersWorld::comes_meanwhile(layer);
    world.write(world.anvil, 9, 8);
    world.write(world.anvil, 10, 9);
  };
  REQUIRE(world.eject(world.anvil) == "done");
  INFO(world.anvil.log.all());
  CHECK(came);
  CHECK(world.cluster(9) == 8);
  CHECK(world.cluster(10) == 9);
  CHECK(world.anvil.log.all().find("written anew") != std::string::npos);
}

TEST_CASE("an eject whose memory fails leaves no layer in the way of the next") {
  LayersWorld world;
  bool came = false;
  world.anvil.hypervisor.stall_save();
  world.anvil.hypervisor.within_stream = [&, layer = world.layer()] {
    came = LayersWorld::comes_meanwhile(layer);
  };
  const auto job = world.anvil.host().eject(world.capsule);
  REQUIRE(world.anvil.until([&] { return came; }));
  world.anvil.host().cancel(job);
  CHECK(world.anvil.end_of(job).result == "cancelled");
  world.anvil.hypervisor.within_stream = {};
  world.write(world.anvil, 9, 8);
  REQUIRE(world.eject(world.anvil) == "done");
  INFO(world.anvil.log.all());
  CHECK(world.cluster(9) == 8);
}

TEST_CASE("a disk that grew while the machine ran is as large on the device, and goes on there") {
  LayersWorld world;
  const auto before = world.head(world.capsule).disks.front().virtual_size;
  const auto larger = before + mebibytes(1);
  const auto resize = [&](const char* how, ByteCount to) {
    const auto overlay = world.anvil.session_directory(world.capsule) / "vda.qcow2";
    LayersWorld::run(
        "qemu-img resize -q " + std::string(how) +
        R"( 'json:{"driver":"qcow2","backing":null,"file":{"driver":"file","filename":")" +
        overlay.string() + "\"}}' " + std::to_string(to.value));
  };
  resize("", larger);
  REQUIRE(world.eject(world.anvil) == "done");
  INFO(world.anvil.log.all());
  CHECK(world.head(world.capsule).disks.front().virtual_size == larger);
  CHECK(world.cluster(9) == 7);
  CHECK(world.content().size() == larger.value);

  const auto again = [&] {
    world.anvil.pull();
    world.anvil.plug();
  };
  again();
  REQUIRE(world.launch(world.anvil) == "done");
  world.write(world.anvil, 10, 8);
  resize("--shrink", before);
  const auto refused = world.eject(world.anvil);
  CHECK_THAT(refused, Catch::StartsWith(bus_error_name(Remedy::fix_config)) &&
                          Catch::Contains("virsh blockresize"));
  CHECK(world.anvil.guest(world.guest)->state == GuestState::running);
  resize("", larger);
  REQUIRE(world.eject(world.anvil) == "done");
  again();
  REQUIRE(world.merge(world.anvil) == "done");
  CHECK(world.head(world.capsule).disks.front().virtual_size == larger);
  CHECK(world.content().size() == larger.value);
  CHECK(world.cluster(9) == 7);
  CHECK(world.cluster(10) == 8);
  REQUIRE(world.launch(world.anvil) == "done");
}

TEST_CASE("a layer that can't be written fails the eject, and the machine runs on") {
  LayersWorld world;
  // What stands in the layer's way is not ours to replace.
  fs::create_directories(world.layer() / "in the way");
  CHECK(world.eject(world.anvil) != "done");
  INFO(world.anvil.log.all());
  CHECK(world.anvil.guest(world.guest)->state == GuestState::running);
  fs::remove_all(world.layer());
  REQUIRE(world.eject(world.anvil) == "done");
  CHECK(world.cluster(9) == 7);
}

}  // namespace satchel::test
