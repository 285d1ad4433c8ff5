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

}  // namespace

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
  for (;;) {
    const auto before = news_;
    auto settling = settled(doing, node, Wanted::filesystem);
    const auto device = co_await std::move(settling);
    if (!device) throw no_such_device(doing, node);
    if (!device->has_filesystem)
      throw Fault(
          Remedy::other_device,
          Fault::Text{doing, node, "there is no filesystem on it that this system knows", {}});
    auto mounting = mount_known(*device);
    auto point = co_await std::move(mounting);
    if (point) co_return *point;
    // A device was pulled and is back under its node: what UDisks2 still showed was the one before.
    if (std::chrono::steady_clock::now() >= deadline) throw no_such_device(doing, node);
    if (news_ == before) co_await wait_for_news(deadline);
  }
}

}  // namespace satchel
