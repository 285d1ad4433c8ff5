// Devices that come and go in every order, and what their capsules make of it.
#include <sys/statvfs.h>

#include <catch2/catch.hpp>

#include "base/error_name.hpp"
#include "runtime/running_world.hpp"

namespace satchel::test {

namespace {

using Call = FakeHypervisor::Call;

struct DeviceWorld : RunningWorld {
  DeviceWorld() : RunningWorld(1) {}
};

Fault busy() { return Fault(Remedy::retry, Fault::Text{"unmount", "it", "target is busy", {}}); }

}  // namespace

TEST_CASE("a removal asked for on the desktop checks in and lets go") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  anvil.volumes.ask_removal("/dev/fake1");
  REQUIRE(anvil.reaches(world.capsule, "safe"));
  anvil.wait_for_jobs();
  CHECK(world.head(world.capsule).hibernation);
  CHECK(anvil.host().view().devices.at(0).can_unplug);
  CHECK(anvil.host().view().devices.at(0).mount_point.empty());
}

TEST_CASE("asking again for a removal that is under way begins nothing") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  const auto ends = anvil.ends.size();
  for (int i = 0; i < 5; ++i) anvil.volumes.ask_removal("/dev/fake1");
  REQUIRE(anvil.reaches(world.capsule, "safe"));
  anvil.wait_for_jobs();
  // The device's own and the capsule's.
  CHECK(anvil.ends.size() - ends == 2);
  CHECK(anvil.log.times("asked to let go of /dev/fake1") == 5);
  CHECK(anvil.log.times("that is under way") == 4);
}

TEST_CASE("a file manager that asks on after a removal that failed begins no eject each time") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  anvil.volumes.set_busy("/dev/fake1", 1);
  anvil.hypervisor.fail(Call::save);
  const auto ends = anvil.ends.size();
  anvil.volumes.ask_removal("/dev/fake1");
  REQUIRE(anvil.until(
      [&] { return anvil.ends.size() > ends && anvil.host().view().running_jobs.empty(); }));
  const auto tried = anvil.ends.size();
  for (int i = 0; i < 5; ++i) anvil.volumes.ask_removal("/dev/fake1");
  anvil.wait_for_jobs();
  CHECK(anvil.ends.size() == tried);
  CHECK(anvil.log.times("that failed a moment ago") == 5);
  // Who asks Satchel itself is not put off.
  anvil.volumes.set_busy("/dev/fake1", 0);
  CHECK(anvil.result([&] { return anvil.host().eject_device(anvil.device()); }) == "done");
}

TEST_CASE("why a device can't be mounted is said of it, and by a pack, which tries again") {
  HostWorld world;
  auto& anvil = world.anvil;
  anvil.start();
  anvil.machine("traveller");
  const auto refuse = [&] {
    anvil.volumes.fail_next(
        "mount", Fault(Remedy::other_device,
                       Fault::Text{"mount", "/dev/fake1", "wrong fs type", "Format it."}));
  };
  refuse();
  anvil.plug_only();
  const auto detail = [&] {
    const auto& devices = anvil.host().view().devices;
    return devices.empty() ? std::string() : devices.at(0).detail;
  };
  const std::string why = "ould not mount /dev/fake1: wrong fs type. Format it.";
  REQUIRE(anvil.until([&] { return detail() == "C" + why; }));
  CHECK(anvil.until([&] { return anvil.host().view().devices.at(0).can_unplug; }));

  PackRequest request;
  request.domain = "traveller";
  request.device = anvil.device();
  refuse();
  const auto end = anvil.end_of(anvil.host().pack(request));
  CHECK(end.result == bus_error_name(Remedy::other_device));
  CHECK(end.message == "c" + why);
  CHECK(anvil.result([&] { return anvil.host().pack(request); }) == "done");
  CHECK(detail().empty());
  CHECK_FALSE(anvil.host().view().devices.at(0).mount_point.empty());
}

TEST_CASE("an encrypted device says that it can't be used, and so does a pack") {
  HostWorld world;
  auto& anvil = world.anvil;
  anvil.start();
  anvil.machine("traveller");
  anvil.fs_type = "crypto_LUKS";
  anvil.plug_only();
  REQUIRE(anvil.until([&] {
    const auto& devices = anvil.host().view().devices;
    return !devices.empty() && devices.at(0).detail.find("it is encrypted") != std::string::npos;
  }));
  PackRequest request;
  request.domain = "traveller";
  request.device = anvil.device();
  CHECK(anvil.end_of(anvil.host().pack(request)).result == bus_error_name(Remedy::later_version));
}

TEST_CASE("a device that this service may not write to, but somebody else mounted, is refused") {
  Volume volume;
  volume.node = "/dev/fake1";
  const auto refused = walled_off(volume, "/srv/stick", ST_RDONLY);
  REQUIRE(refused);
  CHECK(std::string(refused->what()).find("mounted on /srv/stick") != std::string::npos);
  CHECK(refused->next_step().find("/etc/fstab") != std::string::npos);
  CHECK_FALSE(walled_off(volume, "/srv/stick", 0));
  // Mounted where it may write, it is the filesystem that has become read-only.
  CHECK_FALSE(walled_off(volume, "/media/SATCHEL", ST_RDONLY));
  CHECK_FALSE(walled_off(volume, "/mnt", ST_RDONLY));
  CHECK(walled_off(volume, "/mntx", ST_RDONLY));
  volume.read_only = true;
  CHECK_FALSE(walled_off(volume, "/srv/stick", ST_RDONLY));
}

TEST_CASE("a device that is ejected while it arrives is let go of after that") {
  HostWorld world;
  auto& anvil = world.anvil;
  anvil.start();
  anvil.plug_only();
  REQUIRE(anvil.until([&] { return !anvil.host().view().devices.empty(); }));
  const auto device = anvil.host().view().devices.at(0);
  CHECK_FALSE(device.can_unplug);
  CHECK(anvil.result([&] { return anvil.host().eject_device(device.number); }) == "done");
  CHECK(anvil.volumes.done().back() == "unmount /dev/fake1");
  CHECK(anvil.until([&] { return anvil.host().view().devices.at(0).can_unplug; }));
}

TEST_CASE(
    "a device that something else keeps busy is told, and the capsule is checked in all the same") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  anvil.volumes.fail_next("unmount", busy());
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(anvil.state(world.capsule) == "ready");
  CHECK(world.head(world.capsule).hibernation);
  CHECK(anvil.log.says("target is busy"));
  // Once more, when it is no longer busy.
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(anvil.state(world.capsule) == "safe");
}

TEST_CASE("a device with two capsules is let go of only when both are at rest") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  const auto other = anvil.machine("stayer");
  anvil.run_machine(other);
  const auto second = anvil.pack("stayer");
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(anvil.state(world.capsule) == "ready");
  CHECK_FALSE(anvil.capsule(world.capsule)->can_unplug);
  CHECK(anvil.volumes.done().back() == "mount /dev/fake1");
  CHECK(anvil.guest(other)->state == GuestState::running);
  CHECK(anvil.result([&] { return anvil.host().eject(second); }) == "done");
  CHECK(anvil.volumes.done().back() == "unmount /dev/fake1");
  CHECK(anvil.reaches(world.capsule, "safe"));
  CHECK(anvil.reaches(second, "safe"));
}

TEST_CASE("ejecting a device ejects each capsule on it") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  const auto other = anvil.machine("stayer");
  anvil.run_machine(other);
  const auto second = anvil.pack("stayer");
  CHECK(anvil.result([&] { return anvil.host().eject_device(anvil.device()); }) == "done");
  CHECK(anvil.reaches(world.capsule, "safe"));
  CHECK(anvil.reaches(second, "safe"));
  CHECK(anvil.host().view().devices.at(0).can_unplug);
}

TEST_CASE("two devices at once do not disturb each other") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  anvil.plug("/dev/fake2", "0000-0002");
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(anvil.reaches(world.capsule, "safe"));
  for (const auto& device : anvil.host().view().devices)
    CHECK(device.mount_point.empty() == (device.node == "/dev/fake1"));
}

TEST_CASE("a device told of again is the same device") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  const auto number = anvil.device();
  anvil.plugs.announce_again("/dev/fake1");
  anvil.plugs.announce_again("/dev/fake1");
  anvil.wait_for_jobs();
  CHECK(anvil.host().view().devices.size() == 1);
  CHECK(anvil.device() == number);
  CHECK(anvil.state(world.capsule) == "running");
}

TEST_CASE("a device that is gone while it is examined leaves nothing") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  REQUIRE(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "absent"));
  SECTION("before anything was done") {
    anvil.plugs.plug(Plug{"/dev/fake1", {}, "SATCHEL", "0000-0001", "ext4", 0});
    anvil.plugs.unplug("/dev/fake1");
  }
  SECTION("while its capsule is read") {
    Volume volume;
    volume.node = "/dev/fake1";
    volume.fs_type = "ext4";
    volume.fs_uuid = "0000-0001";
    anvil.volumes.add(volume);
    anvil.plugs.plug(Plug{"/dev/fake1", {}, "SATCHEL", "0000-0001", "ext4", 0});
    REQUIRE(anvil.until([&] { return anvil.state(world.capsule) == "examining"; }));
    anvil.pull();
  }
  SECTION("never told as present") { anvil.plugs.unplug("/dev/fake7"); }
  anvil.wait_for_jobs();
  CHECK(anvil.reaches(world.capsule, "absent"));
  CHECK(anvil.host().view().devices.empty());
}

TEST_CASE("a pulled device never silently loses a running guest, and back again it goes on") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(anvil.capsule(world.capsule)->can_unplug);
  CHECK(std::filesystem::exists(anvil.session_directory(world.capsule) / "guest.save"));
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.counter(world.guest) == 1);
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(anvil.reaches(world.capsule, "safe"));
}

TEST_CASE("a guest that stops by itself keeps its session until it is ejected or launched again") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  SECTION("shut down") { anvil.hypervisor.guest_shuts_down(world.guest); }
  SECTION("crashed") { anvil.hypervisor.guest_crashes(world.guest); }
  anvil.wait_for_jobs();
  CHECK(anvil.state(world.capsule) == "running");
  CHECK(anvil.has_session(world.capsule));
  LaunchRequest request;
  request.capsule = world.capsule;
  INFO(anvil.log.all());
  CHECK(anvil.result([&] { return anvil.host().launch(request); }) == "done");
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
}

TEST_CASE("a device gets no label by which nobody would know it again") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  anvil.plug("/dev/fake2", "0000-0002");
  FormatRequest request;
  request.node = "/dev/fake2";
  request.label = "BACKUP";
  CHECK_THROWS_AS(anvil.host().format(request), Fault);
  request.label = "Satchel of Ann";
  CHECK(anvil.result([&] { return anvil.host().format(request); }) == "done");
}

TEST_CASE("a device that is being formatted can't be pulled out") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  FormatRequest request;
  request.node = "/dev/fake1";
  CHECK_THROWS_AS(anvil.host().format(request), Fault);
  REQUIRE(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(anvil.result([&] { return anvil.host().format(request); }) == "done");
}

TEST_CASE("a capsule is removed only while it is at rest") {
  DeviceWorld world;
  auto& anvil = world.anvil;
  CHECK_THROWS_AS(anvil.host().remove(world.capsule), Fault);
  anvil.volumes.fail_next("unmount", busy());
  REQUIRE(anvil.result([&] { return anvil.host().eject(world.capsule); }) == "done");
  CHECK(anvil.result([&] { return anvil.host().remove(world.capsule); }) == "done");
  CHECK(anvil.reaches(world.capsule, "absent"));
  CHECK_FALSE(std::filesystem::exists(world.on_device(world.capsule)));
}

}  // namespace satchel::test
