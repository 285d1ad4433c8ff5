// Inside lib/guestfs only: mounts what a place in the guest's settings needs, read-only, and says
// where in the appliance its folder is.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "guestfs/handle.hpp"
#include "sync/guest_place.hpp"

namespace satchel::guestfs {

class Mounting {
 public:
  /// `disks`: the guest's names of the handle's disks, in order.
  Mounting(guestfs_h* g, std::vector<std::string> disks);

  struct Root {
    std::string path;        ///< in the appliance, a directory
    std::string filesystem;  ///< its type: "ext4", "ntfs"
    /// What should be mounted below it and could not be, and why: what is listed there is not it.
    std::map<std::string, std::string> unmounted{};
  };
  Root mount(const sync::GuestPlace& place);

 private:
  struct Point {
    std::string path;  ///< in the guest: "/home"
    std::string device;
  };
  using System = std::vector<Point>;  ///< shortest path first

  void mount_system(const System& system, const std::string& path);
  std::string mount_device(const std::string& device, const std::string& at);
  void mount_named(const sync::GuestPlace& place);
  void mount_drive(const sync::GuestPlace& place);
  Root look(const sync::GuestPlace& place);

  std::string device_of(const std::string& filesystem);
  std::vector<std::string> systems();
  System points_of(const std::string& system);
  /// "vda/1 (ext4), lvm/vg/root (xfs)": for whoever has to name one.
  std::string what_there_is();
  std::string shown(const std::string& device);

  guestfs_h* g_;
  std::vector<std::string> disks_;
  std::vector<std::string> devices_;  ///< as the appliance calls the disks
  std::vector<std::string> systems_;
  bool looked_for_systems_ = false;
  std::map<std::string, std::string> unmounted_;  ///< of the system that was mounted last
};

}  // namespace satchel::guestfs
