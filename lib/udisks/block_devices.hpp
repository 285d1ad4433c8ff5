// UDisks2's objects as one answer of GetManagedObjects had them, read into Volumes. Pure values;
// https://storaged.org/doc/udisks2-api/latest/ names the interfaces and properties.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bus/values.hpp"
#include "ports/volumes.hpp"

namespace satchel {

struct BlockDevice {
  ObjectPath path;
  ObjectPath drive;             ///< empty for a device without one (loop, device-mapper)
  ObjectPath table;             ///< of a partition: the device that holds the table; else empty
  ObjectPath crypto_backing;    ///< of an unlocked device: the container; else empty
  bool has_filesystem = false;  ///< UDisks2 offers to mount it
  bool can_power_off = false;
  Volume volume;
};

class BlockDevices {
 public:
  BlockDevices() = default;
  explicit BlockDevices(const ManagedObjects& objects);

  const std::vector<BlockDevice>& all() const { return all_; }
  /// By device node or one of udev's links to it.
  const BlockDevice* find(const std::string& node) const;
  /// The nodes of a block device's object, or of all that are on a drive's.
  std::vector<std::string> nodes_of(const ObjectPath& object) const;
  /// A mount point of the device itself or of what is on it: its partitions, its unlocked content.
  std::optional<std::string> use_of(const BlockDevice& device) const;

 private:
  std::vector<BlockDevice> all_;
  std::vector<std::pair<std::string, std::size_t>> names_;  ///< every node and link -> index
};

}  // namespace satchel
