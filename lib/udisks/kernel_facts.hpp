// What the kernel says of a block device at this moment, which UDisks2 may not have noticed yet.
// Inside lib/udisks only. Blocking for no longer than a look at /proc and /sys.
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>

#include "base/ids.hpp"

namespace satchel {

/// Bytes of the block device as the kernel has it now; none when it has no such device.
std::optional<ByteCount> kernel_size(const std::string& node);

/// Where the kernel has the device mounted, in this process's view.
std::optional<std::string> kernel_mount(dev_t number);

struct KernelMount {
  std::string point;
  std::string type;               ///< as the kernel has it: "vfat", "fuseblk"
  std::set<std::string> options;  ///< of the mount and of the filesystem: "nodev", "fmask=0077"
};
/// How the kernel has the device mounted, in this process's view. None also for a btrfs, which has
/// another device number there.
std::optional<KernelMount> kernel_mount_of(dev_t number);
/// The same from a line of proc(5)'s mountinfo; none when that is another device's.
std::optional<KernelMount> read_mount(const std::string& line, const std::string& device);

/// Whether a mount is as good as one that is made here: no devices and set-user-ID programs of the
/// stick's, and the files of a filesystem without owners closed to others. What does not show its
/// masks (FUSE) is taken to be.
bool is_closed(const KernelMount& mount);

}  // namespace satchel
