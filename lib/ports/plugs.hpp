// What the runtime needs to hear of devices that come and go; lib/udev is the real one. Tells the
// listener of those block devices only that the udev rule tagged as Satchel's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace satchel {

/// A block device of ours as the kernel and udev describe it now.
struct Plug {
  std::string node;                 ///< "/dev/sdb1"
  std::string sysfs;                ///< "/sys/devices/…"
  std::string label;                ///< ID_FS_LABEL
  std::string fs_uuid;              ///< ID_FS_UUID
  std::string fs_type;              ///< ID_FS_TYPE
  std::uint64_t disk_sequence = 0;  ///< DISKSEQ of the whole disk: new at each insertion; 0 unknown
};

class Plugs {
 public:
  virtual ~Plugs() = default;

  struct Listener {
    /// There, or still there with changed properties: the same plug may be told any number of
    /// times, from enumeration and from events.
    std::function<void(Plug)> present;
    /// Gone, or no longer ours; may be told for a node never told as present.
    std::function<void(std::string node)> absent;
  };

  /// Subscribes, then enumerates, then listens; after a lost event (ENOBUFS) all that is present is
  /// told again and what has gone meanwhile as absent. Returns when the first enumeration was told.
  /// Called once, on the loop thread; the listener is called there.
  virtual void start(Listener listener) = 0;
};

}  // namespace satchel
