// Mounting a device that may have come a moment ago.
#include <chrono>
#include <set>
#include <string>
#include <utility>

#include "udisks/kernel_facts.hpp"
#include "udisks/udisks_call.hpp"
#include "udisks/udisks_fault.hpp"
#include "udisks/volumes.hpp"

namespace satchel {

namespace {

constexpr auto doing = "mount";

/// Filesystems without owners show everything to everybody unless the mount says otherwise.
bool is_ownerless(const std::string& fs_type) {
  static const std::set<std::string> ownerless{"vfat", "exfat", "ntfs", "udf", "hfsplus"};
  return ownerless.contains(fs_type);
}

Fault open_to_others(const std::string& node, const std::string& point) {
  return Fault(Remedy::retry,
               Fault::Text{doing, node,
                           "it is mounted on " + point +
                               " in a way that leaves machines open to others, and in use there",
                           "Close what uses it there, and plug it in anew: Satchel mounts its "
                           "devices itself."});
}

Fault set_open(const std::string& node, const std::string& point) {
  return Fault(Remedy::fix_config,
               Fault::Text{doing, node,
                           "it was mounted on " + point +
                               " with other options than asked for, which leave machines open to "
                               "others",
                           "Take it out of /etc/fstab: Satchel mounts its devices itself."});
}

}  // namespace

Task<void> UDisksVolumes::unmount_open(BlockDevice device) {
  const auto node = device.volume.node;
  const auto mount = kernel_mount_of(device.volume.number);
  if (!mount || is_closed(*mount)) co_return;
  std::optional<Fault> refused;
  try {
    auto unmounting = unmount(node);
    co_await std::move(unmounting);
  } catch (const Fault& fault) {
    refused = fault;
  }
  if (refused)
    throw refused->remedy() == Remedy::retry ? open_to_others(node, mount->point) : *refused;
}

Task<std::string> UDisksVolumes::try_mount(ObjectPath path, std::string options) {
  auto arguments = unattended();
  arguments["options"] = std::move(options);
  auto calling = bus_.call(udisks_call(path, "Filesystem", "Mount"), arguments);
  auto reply = co_await std::move(calling);
  co_return reply.read<std::string>();
}

Task<std::optional<std::string>> UDisksVolumes::mount_known(BlockDevice device) {
  const auto& node = device.volume.node;
  const std::string closed = is_ownerless(device.volume.fs_type) ? ",umask=0077" : "";
  // UDisks2 before 2.9 and an administrator's mount_options.conf may refuse the last one.
  for (const auto& options :
       {"nosuid,nodev,noexec" + closed + ",nosymfollow", "nosuid,nodev,noexec" + closed}) {
    std::string refused;
    try {
      auto mounting = try_mount(device.path, options);
      auto point = co_await std::move(mounting);
      co_return point;
    } catch (const BusError& error) {
      if (is_object_gone(error)) co_return std::nullopt;
      refused = udisks_error(error);
      if (refused != "OptionNotPermitted" && refused != "AlreadyMounted")
        throw udisks_fault(error, doing, node);
    }
    if (refused == "AlreadyMounted") break;
  }
  auto looking = look(doing, node);
  const auto devices = co_await std::move(looking);
  const auto* now = devices.find(node);
  if (now && !now->volume.mount_points.empty()) co_return now->volume.mount_points.front();
  if (auto point = kernel_mount(device.volume.number)) co_return *point;
  throw Fault(Remedy::fix_config,
              Fault::Text{doing, node, "UDisks2 allows none of the mount options that it needs",
                          "Allow nosuid, nodev and noexec in /etc/udisks2/mount_options.conf."});
}

Task<std::string> UDisksVolumes::mount(std::string node) {
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  bool was_open = false;
  for (;;) {
    const auto before = news_;
    auto settling = settled(doing, node, Wanted::filesystem);
    const auto device = co_await std::move(settling);
    if (!device) throw no_such_device(doing, node);
    if (!device->has_filesystem)
      throw Fault(
          Remedy::other_device,
          Fault::Text{doing, node, "there is no filesystem on it that this system knows", {}});
    auto closing = unmount_open(*device);
    co_await std::move(closing);
    auto mounting = mount_known(*device);
    auto point = co_await std::move(mounting);
    if (point) {
      const auto made = kernel_mount_of(device->volume.number);
      if (made && !is_closed(*made)) {
        auto unmounting = unmount(node);
        co_await std::move(unmounting);
        // Once it may be somebody's who was faster; twice it is what mounting it gives.
        if (was_open) throw set_open(node, *point);
        was_open = true;
        continue;
      }
      co_return *point;
    }
    // A device was pulled and is back under its node: what UDisks2 still showed was the one before.
    if (std::chrono::steady_clock::now() >= deadline) throw no_such_device(doing, node);
    if (news_ == before) co_await wait_for_news(deadline);
  }
}

}  // namespace satchel
