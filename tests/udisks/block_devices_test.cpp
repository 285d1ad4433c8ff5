#include "udisks/block_devices.hpp"

#include <catch2/catch.hpp>

#include "udisks/kernel_facts.hpp"

using namespace satchel;

namespace {

constexpr auto blocks = "/org/freedesktop/UDisks2/block_devices/";
const ObjectPath drive("/org/freedesktop/UDisks2/drives/Stick");

Bytes bytes(const std::string& text) {
  Bytes out(text.begin(), text.end());
  out.push_back(0);
  return out;
}

Dictionary block(const std::string& node, const ObjectPath& on_drive) {
  Dictionary out;
  out["Device"] = bytes(node);
  out["PreferredDevice"] = bytes(node);
  out["Symlinks"] = std::vector<Bytes>{bytes("/dev/disk/by-label/" + node.substr(5))};
  out["Drive"] = on_drive;
  out["CryptoBackingDevice"] = ObjectPath("/");
  return out;
}

/// A stick with a partition that is mounted, and a loop device.
ManagedObjects stick() {
  ManagedObjects objects;
  auto& of_drive = objects[drive]["org.freedesktop.UDisks2.Drive"];
  of_drive["Vendor"] = "SanDisk";
  of_drive["Model"] = "Ultra";
  of_drive["Removable"] = true;
  of_drive["CanPowerOff"] = true;
  objects[ObjectPath(std::string(blocks) + "sdb")]["org.freedesktop.UDisks2.Block"] =
      block("/dev/sdb", drive);
  auto& partition = objects[ObjectPath(std::string(blocks) + "sdb1")];
  partition["org.freedesktop.UDisks2.Block"] = block("/dev/sdb1", drive);
  partition["org.freedesktop.UDisks2.Partition"]["Table"] = ObjectPath(std::string(blocks) + "sdb");
  partition["org.freedesktop.UDisks2.Filesystem"]["MountPoints"] =
      std::vector<Bytes>{bytes("/media/STICK")};
  objects[ObjectPath(std::string(blocks) + "loop0")]["org.freedesktop.UDisks2.Block"] =
      block("/dev/loop0", ObjectPath("/"));
  return objects;
}

}  // namespace

TEST_CASE("what was unlocked is on the drive of its container, and as much the system's") {
  auto objects = stick();
  auto unlocked = block("/dev/dm-0", ObjectPath("/"));
  unlocked["HintSystem"] = true;
  unlocked["CryptoBackingDevice"] = ObjectPath(std::string(blocks) + "sdb1");
  objects[ObjectPath(std::string(blocks) + "dm_2d0")]["org.freedesktop.UDisks2.Block"] = unlocked;
  const BlockDevices devices(objects);
  REQUIRE(devices.find("/dev/dm-0"));
  const auto disk = std::string(blocks) + "sdb";
  for (const auto* node : {"/dev/sdb", "/dev/sdb1", "/dev/dm-0"})
    CHECK(devices.find(node)->volume.drive == disk);
  CHECK_FALSE(devices.find("/dev/dm-0")->volume.is_internal());
  CHECK(devices.find("/dev/loop0")->volume.drive != disk);
}

TEST_CASE("a mount is closed by its options and masks") {
  const auto mount = [](const std::string& options, const std::string& rest) {
    return read_mount("73 26 8:17 / /media/SATCHEL rw," + options + " shared:38 - " + rest, "8:17");
  };
  const std::string good = "nosuid,nodev,noexec,relatime";
  REQUIRE(mount(good, "ext4 /dev/sdb1 rw"));
  CHECK_FALSE(read_mount("73 26 8:18 / /x rw - ext4 /dev/sdb2 rw", "8:17"));
  CHECK(is_closed(*mount(good, "ext4 /dev/sdb1 rw")));
  CHECK_FALSE(is_closed(*mount("relatime", "ext4 /dev/sdb1 rw")));
  CHECK_FALSE(is_closed(*mount("nosuid,relatime", "ext4 /dev/sdb1 rw")));
  CHECK(is_closed(*mount(good, "vfat /dev/sdb1 rw,fmask=0077,dmask=0077,codepage=437")));
  CHECK(is_closed(*mount(good, "vfat /dev/sdb1 rw,fmask=0177,dmask=0077")));
  CHECK_FALSE(is_closed(*mount(good, "vfat /dev/sdb1 rw,uid=1000,fmask=0022,dmask=0022")));
  CHECK_FALSE(is_closed(*mount(good, "exfat /dev/sdb1 rw,fmask=0077,dmask=0022")));
  CHECK(is_closed(*mount(good, "hfsplus /dev/sdb1 rw,umask=77,uid=0")));
  CHECK(is_closed(*mount(good, "ntfs3 /dev/sdb1 rw,fmask=37777600077,dmask=37777600077")));
  CHECK(is_closed(*mount(good, "fuseblk /dev/sdb1 rw,user_id=0,group_id=0,allow_other")));
  CHECK(mount(good, "vfat /dev/sdb1 rw")->type == "vfat");
}

TEST_CASE("a device is found by its node and by its links") {
  const BlockDevices devices(stick());
  REQUIRE(devices.find("/dev/sdb1") != nullptr);
  CHECK(devices.find("/dev/disk/by-label/sdb1") == devices.find("/dev/sdb1"));
  CHECK(devices.find("/dev/sdb1")->volume.model == "SanDisk Ultra");
  CHECK(devices.find("/dev/sdb1")->volume.removable);
  CHECK(devices.find("/dev/sdb1")->can_power_off);
  CHECK(devices.find("/dev/sdc") == nullptr);
}

TEST_CASE("a drive stands for all that is on it") {
  const BlockDevices devices(stick());
  CHECK(devices.nodes_of(drive) == std::vector<std::string>{"/dev/sdb", "/dev/sdb1"});
  CHECK(devices.nodes_of(ObjectPath("/org/freedesktop/UDisks2/drives/Other")).empty());
}

TEST_CASE("a disk is in use when a partition of it is mounted") {
  const BlockDevices devices(stick());
  CHECK(devices.use_of(*devices.find("/dev/sdb")) == "/media/STICK");
  CHECK(!devices.use_of(*devices.find("/dev/loop0")));
}

TEST_CASE("a container is in use while it is unlocked") {
  auto objects = stick();
  auto& unlocked = objects[ObjectPath(std::string(blocks) + "dm_2d0")];
  unlocked["org.freedesktop.UDisks2.Block"] = block("/dev/dm-0", ObjectPath("/"));
  unlocked["org.freedesktop.UDisks2.Block"]["CryptoBackingDevice"] =
      ObjectPath(std::string(blocks) + "loop0");
  const BlockDevices devices(objects);
  CHECK(devices.use_of(*devices.find("/dev/loop0")) == "/dev/dm-0");
}
