// A drive with more than one filesystem: what may be pulled out is all of it.
#include <catch2/catch.hpp>

#include "runtime/running_world.hpp"

namespace satchel::test {

namespace {

struct DriveWorld : RunningWorld {
  DriveWorld() : RunningWorld(1, [](HostWorld& world) { world.anvil.drive = "/drives/stick"; }) {}

  /// Another filesystem of the same stick.
  void add_beside(const std::string& node, const std::string& label) {
    Volume volume;
    volume.node = node;
    volume.label = label;
    volume.fs_type = "vfat";
    volume.drive = anvil.drive;
    anvil.volumes.add(volume);
  }
  const DeviceView& device(std::size_t i = 0) { return anvil.host().view().devices.at(i); }
  const CapsuleView& machine() {
    for (const auto& each : anvil.host().view().capsules)
      if (each.id == capsule) return each;
    throw std::logic_error("it is not there");
  }
};

}  // namespace

TEST_CASE("nobody is told to unplug a stick of which a person has something mounted") {
  DriveWorld world;
  auto& anvil = world.anvil;
  world.add_beside("/dev/fake2", "FOTOS");
  anvil.await(anvil.volumes.mount("/dev/fake2"));
  CHECK(world.eject() == "done");
  REQUIRE(anvil.reaches(world.capsule, "safe"));
  anvil.wait_for_jobs();
  CHECK_FALSE(world.device().can_unplug);
  CHECK(world.device().detail == "On the same device and in use: /dev/fake2 (FOTOS).");
  CHECK_FALSE(world.machine().can_unplug);
  CHECK(world.machine().detail ==
        "All of it is on its device, which is in use for something else: /dev/fake2 (FOTOS).");
  CHECK(anvil.log.times("may be unplugged") == 0);
  CHECK(anvil.log.times("may be pulled out") == 0);

  anvil.await(anvil.volumes.unmount("/dev/fake2"));
  CHECK(anvil.until([&] { return world.device().can_unplug; }));
  CHECK(world.machine().can_unplug);
  CHECK(world.device().detail.empty());
  CHECK(anvil.log.times("/dev/fake1 may be unplugged") == 1);
  CHECK(anvil.log.times("may be pulled out") == 1);
}

TEST_CASE("nobody is told to unplug a stick on whose other partition a machine runs") {
  DriveWorld world;
  auto& anvil = world.anvil;
  anvil.plug("/dev/fake2", "0000-0002");
  const auto other = anvil.machine("other");
  anvil.run_machine(other);
  PackRequest request;
  request.domain = "other";
  request.device = world.device(1).number;
  CHECK(anvil.result([&] { return anvil.host().pack(request); }) == "done");

  CHECK(world.eject() == "done");
  REQUIRE(anvil.reaches(world.capsule, "safe"));
  anvil.wait_for_jobs();
  CHECK_FALSE(world.device(0).can_unplug);
  CHECK_FALSE(world.machine().can_unplug);
  CHECK(world.device(0).mount_point.empty());
  CHECK(world.device(0).detail == "On the same device and in use: /dev/fake2 (SATCHEL).");
  CHECK(anvil.log.times("may be unplugged") == 0);

  CHECK(anvil.result([&] { return anvil.host().eject_device(world.device(1).number); }) == "done");
  anvil.wait_for_jobs();
  CHECK(world.device(0).can_unplug);
  CHECK(world.device(1).can_unplug);
  CHECK(world.machine().can_unplug);
  CHECK(anvil.log.times("/dev/fake2 may be unplugged") == 1);
  CHECK(anvil.log.times("may be pulled out") == 2);
}

TEST_CASE("nobody is told to unplug a stick that is refused and mounted by somebody") {
  HostWorld world;
  auto& anvil = world.anvil;
  anvil.start();
  anvil.volumes.fail_next("mount", Fault(Remedy::retry, Fault::Text{"mount", "/dev/fake1",
                                                                    "in use there", "Close it."}));
  anvil.mounted_on = "/media/theirs";
  anvil.plug_only();
  REQUIRE(anvil.until([&] {
    const auto& devices = anvil.host().view().devices;
    return !devices.empty() && devices.at(0).detail.find("in use: /dev/fake1") != std::string::npos;
  }));
  CHECK_FALSE(anvil.host().view().devices.at(0).can_unplug);
  anvil.await(anvil.volumes.unmount("/dev/fake1"));
  CHECK(anvil.until([&] { return anvil.host().view().devices.at(0).can_unplug; }));
}

TEST_CASE("a device that can't be read is not left mounted, but where others had mounted it") {
  HostWorld world;
  auto& anvil = world.anvil;
  anvil.start();
  const bool mounted_before = GENERATE(false, true);
  CAPTURE(mounted_before);
  const auto place = anvil.volumes.content("/dev/fake1");
  if (mounted_before) anvil.mounted_on = place.string();
  anvil.plug_only();
  std::filesystem::remove(place);
  std::filesystem::create_symlink("/", place);
  REQUIRE(anvil.until([&] {
    const auto& devices = anvil.host().view().devices;
    return !devices.empty() && devices.at(0).detail.find("ould not open") != std::string::npos;
  }));
  CHECK(anvil.until([&] { return anvil.host().view().devices.at(0).can_unplug; }));
  const std::vector<std::string> done{"mount /dev/fake1", "unmount /dev/fake1"};
  CHECK(anvil.volumes.done() == (mounted_before ? std::vector<std::string>{} : done));
}

TEST_CASE("a disk of this computer's own is left alone, whatever its label") {
  HostWorld world;
  auto& anvil = world.anvil;
  anvil.start();
  anvil.internal = true;
  anvil.plug_only();
  REQUIRE(anvil.until([&] {
    const auto& devices = anvil.host().view().devices;
    return !devices.empty() && !devices.at(0).detail.empty();
  }));
  CHECK(anvil.host().view().devices.at(0).mount_point.empty());
  CHECK(anvil.log.times("UDisks2 takes it for a part of this computer itself") == 1);
  CHECK(anvil.volumes.done().empty());
}

}  // namespace satchel::test
