// What the runtime needs of the system's storage service; lib/udisks is the real one (UDisks2 over
// the system bus). A volume is a filesystem or an encrypted container on a block device, named by
// its device node. All calls on the loop thread, continuing there; all throw Fault.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "async/lanes.hpp"
#include "base/handle.hpp"
#include "base/ids.hpp"

namespace satchel {

struct Volume {
  std::string node;  ///< "/dev/sdb1"
  dev_t number{};
  std::string label;
  std::string fs_type;  ///< "ext4", "vfat", "exfat", "crypto_LUKS"; empty when there is none
  std::string fs_uuid;
  ByteCount size;
  bool read_only = false;
  bool removable = false;
  bool system = false;  ///< UDisks2's HintSystem: a disk that belongs to this computer
  std::string model;    ///< of the drive, for people; may be empty
  std::string serial;   ///< of the drive; may be empty
  std::string drive;    ///< the same for all that is on one disk, whatever its partitions
  std::vector<std::string> mount_points;

  /// It is this computer's own. UDisks2 takes every loop device for the system's.
  bool is_internal() const { return system && !node.starts_with("/dev/loop"); }
};

/// Somebody else asked for the device: "safely remove" in a file manager, an eject button.
struct RemovalRequest {
  std::string node;
  std::string
      operation;  ///< "filesystem-unmount", "encrypted-lock", "drive-eject", "drive-power-off"
};

class Volumes {
 public:
  virtual ~Volumes() = default;

  /// None when the service knows no such block device.
  virtual Task<std::optional<Volume>> find(std::string node) = 0;
  virtual Task<std::vector<Volume>> all() = 0;

  /// Mounts nosuid, nodev, noexec and, where allowed, nosymfollow; gives the mount point. A volume
  /// that is mounted already gives its first mount point.
  virtual Task<std::string> mount(std::string node) = 0;
  /// Unmounts; a volume that is not mounted is no error. Busy is Remedy::retry. The job that the
  /// service announces for it is not reported to the listener.
  virtual Task<void> unmount(std::string node) = 0;
  /// Powers the drive's port off where the hardware has that; false where it has not (a loop
  /// device, a card in a reader).
  virtual Task<bool> power_off(std::string node) = 0;
  /// The block device for reading and writing past the page cache, by whole blocks of 4 KiB. Nobody
  /// else has it mounted or open for himself: in use is Remedy::retry.
  virtual Task<UniqueFd> open(std::string node) = 0;
  /// Makes a filesystem with a label; destroys what is there.
  virtual Task<void> format(std::string node, std::string fs_type, std::string label) = 0;

  /// The one listener, called on the loop thread.
  virtual void listen(std::function<void(RemovalRequest)> on_request) = 0;
};

}  // namespace satchel
