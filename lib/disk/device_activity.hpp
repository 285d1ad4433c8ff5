// What the kernel counts of a block device, without asking the device.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace satchel::disk {

struct DeviceActivity {
  std::uint64_t completed = 0;  ///< reads, writes, discards and flushes, since the device came
  std::uint64_t in_flight = 0;  ///< requests that it has and has not answered yet
  bool operator==(const DeviceActivity&) const = default;
};

/// Of a disk or partition by its place in /sys, from the file "stat" there (Linux,
/// Documentation/block/stat.rst). None where there is no such file, or it is another's. Any thread;
/// never waits for the device.
std::optional<DeviceActivity> read_activity(const std::filesystem::path& sysfs);

}  // namespace satchel::disk
