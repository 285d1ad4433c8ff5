#include "guestfs/mounting.hpp"

#include <algorithm>
#include <utility>

namespace satchel::guestfs {

namespace {

using sync::GuestPlace;

constexpr std::string_view subvolume = "btrfsvol:";

bool lies_in(const std::string& path, const std::string& folder) {
  return folder == "/" || path == folder ||
         (path.starts_with(folder) && path[folder.size()] == '/');
}

Fault not_there(const GuestPlace& place, std::string why, std::string next) {
  return Fault(Remedy::fix_config, Fault::Text{"find", to_string(place) + " in the machine",
                                               std::move(why), std::move(next)});
}

}  // namespace

Mounting::Mounting(guestfs_h* g, std::vector<std::string> disks)
    : g_(g), disks_(std::move(disks)), devices_(values(Strings(guestfs_list_devices(g)))) {
  if (devices_.size() != disks_.size())
    throw Fault(Remedy::report_bug,
                Fault::Text{"find", "the machine's disks", "the reader shows other ones", {}});
}

Mounting::Root Mounting::mount(const GuestPlace& place) {
  check(g_, guestfs_umount_all(g_), "unmount", "the filesystems looked at before");
  unmounted_.clear();
  switch (place.from) {
    case GuestPlace::From::filesystem:
      mount_named(place);
      return look(place);
    case GuestPlace::From::drive:
      mount_drive(place);
      return look(place);
    case GuestPlace::From::system:
      break;
  }
  const auto found = systems();
  if (found.empty())
    throw not_there(place, "no operating system was found on its disks",
                    "Name the filesystem in satchel.yaml; there are: " + what_there_is() + ".");
  // With several systems on the disks: the first one that has the folder.
  for (std::size_t i = 0;; ++i) {
    mount_system(points_of(found[i]), place.path);
    if (i + 1 == found.size() || guestfs_exists(g_, place.path.c_str()) == 1) return look(place);
    check(g_, guestfs_umount_all(g_), "unmount", "the filesystems looked at before");
  }
}

void Mounting::mount_system(const System& system, const std::string& path) {
  unmounted_.clear();
  for (const auto& point : system) {
    const auto why = mount_device(point.device, point.path);
    if (why.empty()) continue;
    unmounted_.emplace(point.path, why);
    if (lies_in(path, point.path))
      throw Fault(Remedy::other_device, Fault::Text{"mount", shown(point.device), why, {}});
  }
}

std::string Mounting::mount_device(const std::string& device, const std::string& at) {
  int result = -1;
  const auto slash = device.find('/', subvolume.size() + 5);
  if (device.starts_with(subvolume) && slash != device.npos) {
    // libguestfs 1.48 may name the disk of a subvolume otherwise than all others: with one btrfs
    // filesystem there is no doubt which is meant.
    std::string only;
    const auto known = values(Strings(guestfs_list_filesystems(g_)));
    for (std::size_t i = 0; i + 1 < known.size(); i += 2) {
      if (known[i + 1] != "btrfs" || known[i].starts_with(subvolume)) continue;
      only = only.empty() ? known[i] : "several";
    }
    const auto options = "ro,subvol=" + device.substr(slash + 1);
    if (!only.empty() && only != "several")
      result = guestfs_mount_options(g_, options.c_str(), only.c_str(), at.c_str());
    else
      result = guestfs_mount_ro(g_, device.c_str(), at.c_str());
  } else {
    // Read-only is how it is mounted; what a journal's replay writes goes to the scratch file.
    result = guestfs_mount_ro(g_, device.c_str(), at.c_str());
  }
  return result < 0 ? failure(g_, {}, {}).text().why : std::string();
}

void Mounting::mount_named(const GuestPlace& place) {
  const auto device = device_of(place.filesystem);
  const auto why = device.empty() ? "there is no such filesystem" : mount_device(device, "/");
  if (!why.empty()) throw not_there(place, why, "There are: " + what_there_is() + ".");
}

void Mounting::mount_drive(const GuestPlace& place) {
  for (const auto& system : systems()) {
    const auto drives = values(Strings(guestfs_inspect_get_drive_mappings(g_, system.c_str())));
    for (std::size_t i = 0; i + 1 < drives.size(); i += 2) {
      if (drives[i] != place.drive) continue;
      const auto why = mount_device(drives[i + 1], "/");
      if (why.empty()) return;
      throw Fault(Remedy::other_device, Fault::Text{"mount", "drive " + place.drive, why, {}});
    }
  }
  throw not_there(place, "no system on its disks has a drive " + place.drive,
                  "Name the filesystem in satchel.yaml; there are: " + what_there_is() + ".");
}

Mounting::Root Mounting::look(const GuestPlace& place) {
  auto path = place.path;
  if (place.from == GuestPlace::From::drive)
    if (const Text real{guestfs_case_sensitive_path(g_, path.c_str())}) path = real.get();
  // The folder may be a link in the guest; this follows it among the guest's own filesystems.
  const Text real{guestfs_realpath(g_, path.c_str())};
  if (!real || guestfs_is_dir(g_, real.get()) != 1)
    throw not_there(place, "there is no such folder",
                    "Correct 'guest' in satchel.yaml. Nothing was changed on this computer.");
  // By a link it may lie elsewhere than its name says.
  for (const auto& [point, why] : unmounted_)
    if (lies_in(real.get(), point))
      throw Fault(Remedy::other_device, Fault::Text{"mount", point, why, {}});
  Root out{real.get(), {}, unmounted_};
  const auto mounted = values(Strings(guestfs_mountpoints(g_)));
  std::size_t deepest = 0;
  for (std::size_t i = 0; i + 1 < mounted.size(); i += 2) {
    if (!lies_in(out.path, mounted[i + 1]) || mounted[i + 1].size() < deepest) continue;
    deepest = mounted[i + 1].size();
    if (const Text type{guestfs_vfs_type(g_, mounted[i].c_str())}) out.filesystem = type.get();
  }
  return out;
}

std::string Mounting::device_of(const std::string& filesystem) {
  if (filesystem.starts_with("lvm/")) return "/dev/" + filesystem.substr(4);
  if (filesystem.starts_with("uuid/")) {
    const Text device{guestfs_findfs_uuid(g_, filesystem.substr(5).c_str())};
    return device ? device.get() : std::string();
  }
  const auto slash = filesystem.find('/');
  const auto disk = std::find(disks_.begin(), disks_.end(), filesystem.substr(0, slash));
  if (disk == disks_.end()) return {};
  const auto& device = devices_[static_cast<std::size_t>(disk - disks_.begin())];
  return slash == filesystem.npos ? device : device + filesystem.substr(slash + 1);
}

std::vector<std::string> Mounting::systems() {
  if (!std::exchange(looked_for_systems_, true)) {
    const Strings found(guestfs_inspect_os(g_));
    if (!found) throw failure(g_, "look for", "an operating system on the machine's disks");
    systems_ = values(found);
    check(g_, guestfs_umount_all(g_), "unmount", "the filesystems looked at");
  }
  return systems_;
}

Mounting::System Mounting::points_of(const std::string& system) {
  const auto found = values(Strings(guestfs_inspect_get_mountpoints(g_, system.c_str())));
  System out;
  for (std::size_t i = 0; i + 1 < found.size(); i += 2) out.push_back({found[i], found[i + 1]});
  std::sort(out.begin(), out.end(), [](const Point& a, const Point& b) {
    return std::pair(a.path.size(), a.path) < std::pair(b.path.size(), b.path);
  });
  return out;
}

std::string Mounting::what_there_is() {
  const auto found = values(Strings(guestfs_list_filesystems(g_)));
  std::string out;
  for (std::size_t i = 0; i + 1 < found.size(); i += 2) {
    if (found[i].starts_with(subvolume) || found[i + 1] == "unknown" || found[i + 1] == "swap")
      continue;
    out += (out.empty() ? "" : ", ") + shown(found[i]) + " (" + found[i + 1] + ")";
  }
  return out.empty() ? "none" : out;
}

std::string Mounting::shown(const std::string& device) {
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    if (device == devices_[i]) return disks_[i];
    const auto rest = device.substr(std::min(device.size(), devices_[i].size()));
    if (device.starts_with(devices_[i]) && rest.find_first_not_of("0123456789") == rest.npos)
      return disks_[i] + "/" + rest;
  }
  return device.starts_with("/dev/") ? "lvm/" + device.substr(5) : device;
}

}  // namespace satchel::guestfs
