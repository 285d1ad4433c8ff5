#include "udisks/block_devices.hpp"

#include <algorithm>
#include <utility>

namespace satchel {

namespace {

constexpr auto block_interface = "org.freedesktop.UDisks2.Block";
constexpr auto filesystem_interface = "org.freedesktop.UDisks2.Filesystem";
constexpr auto partition_interface = "org.freedesktop.UDisks2.Partition";
constexpr auto drive_interface = "org.freedesktop.UDisks2.Drive";

using Interfaces = std::map<std::string, Dictionary>;

template <class T>
T value(const Dictionary& properties, const std::string& name) {
  return find<T>(properties, name).value_or(T());
}

/// UDisks2 writes "/" for "none".
ObjectPath object(const Dictionary& properties, const std::string& name) {
  auto path = value<ObjectPath>(properties, name);
  return path.value == "/" ? ObjectPath() : path;
}

const Dictionary* interface(const Interfaces& interfaces, const std::string& name) {
  const auto found = interfaces.find(name);
  return found == interfaces.end() ? nullptr : &found->second;
}

void read_drive(BlockDevice& device, const ManagedObjects& objects) {
  const auto drive = objects.find(device.drive);
  if (drive == objects.end()) return;
  const auto* properties = interface(drive->second, drive_interface);
  if (!properties) return;
  device.volume.removable = value<bool>(*properties, "Removable");
  device.volume.serial = value<std::string>(*properties, "Serial");
  const auto vendor = value<std::string>(*properties, "Vendor");
  const auto model = value<std::string>(*properties, "Model");
  device.volume.model = vendor.empty() || model.empty() ? vendor + model : vendor + " " + model;
  device.can_power_off = value<bool>(*properties, "CanPowerOff");
}

BlockDevice read_block(const ObjectPath& path, const Interfaces& interfaces,
                       const Dictionary& block, const ManagedObjects& objects) {
  BlockDevice device;
  device.path = path;
  device.drive = object(block, "Drive");
  device.crypto_backing = object(block, "CryptoBackingDevice");
  device.volume.node = text_of(value<Bytes>(block, "Device"));
  device.volume.number = value<std::uint64_t>(block, "DeviceNumber");
  device.volume.label = value<std::string>(block, "IdLabel");
  device.volume.fs_type = value<std::string>(block, "IdType");
  device.volume.fs_uuid = value<std::string>(block, "IdUUID");
  device.volume.size = ByteCount(value<std::uint64_t>(block, "Size"));
  device.volume.read_only = value<bool>(block, "ReadOnly");
  device.volume.system = value<bool>(block, "HintSystem");
  if (const auto* partition = interface(interfaces, partition_interface))
    device.table = object(*partition, "Table");
  // Not UDisks2's Drive: two sticks that claim the same serial number are one of those.
  device.volume.drive = device.table.value.empty() ? path.value : device.table.value;
  if (const auto* filesystem = interface(interfaces, filesystem_interface)) {
    device.has_filesystem = true;
    for (const auto& point : value<std::vector<Bytes>>(*filesystem, "MountPoints"))
      device.volume.mount_points.push_back(text_of(point));
  }
  read_drive(device, objects);
  return device;
}

}  // namespace

BlockDevices::BlockDevices(const ManagedObjects& objects) {
  for (const auto& [path, interfaces] : objects) {
    const auto* block = interface(interfaces, block_interface);
    if (!block) continue;
    auto device = read_block(path, interfaces, *block, objects);
    names_.emplace_back(device.volume.node, all_.size());
    names_.emplace_back(text_of(value<Bytes>(*block, "PreferredDevice")), all_.size());
    for (const auto& link : value<std::vector<Bytes>>(*block, "Symlinks"))
      names_.emplace_back(text_of(link), all_.size());
    all_.push_back(std::move(device));
  }
  // What was unlocked is on no drive of its own, and UDisks2 takes it for the system's.
  for (auto& device : all_)
    for (const auto& backing : all_)
      if (!device.crypto_backing.value.empty() && backing.path == device.crypto_backing) {
        device.volume.drive = backing.volume.drive;
        device.volume.system = device.volume.system && backing.volume.is_internal();
      }
}

const BlockDevice* BlockDevices::find(const std::string& node) const {
  const auto found = std::find_if(names_.begin(), names_.end(),
                                  [&](const auto& name) { return name.first == node; });
  return found == names_.end() ? nullptr : &all_[found->second];
}

std::vector<std::string> BlockDevices::nodes_of(const ObjectPath& object) const {
  std::vector<std::string> nodes;
  for (const auto& device : all_)
    if (device.path == object || device.drive == object) nodes.push_back(device.volume.node);
  return nodes;
}

std::optional<std::string> BlockDevices::use_of(const BlockDevice& device) const {
  if (!device.volume.mount_points.empty()) return device.volume.mount_points.front();
  for (const auto& other : all_) {
    if (other.crypto_backing == device.path) return other.volume.node;
    if (other.table == device.path)
      if (auto use = use_of(other)) return use;
  }
  return std::nullopt;
}

}  // namespace satchel
