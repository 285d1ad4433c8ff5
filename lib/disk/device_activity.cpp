#include "disk/device_activity.hpp"

#include <array>
#include <fstream>

namespace satchel::disk {

namespace {

// Places in the line. Linux before 4.18 does not count discards, and before 5.5 no flushes.
constexpr std::size_t reads = 0, writes = 4, in_flight = 8, discards = 11, flushes = 15;

}  // namespace

std::optional<DeviceActivity> read_activity(const std::filesystem::path& sysfs) {
  std::ifstream file(sysfs / "stat");
  std::array<std::uint64_t, flushes + 1> fields{};
  std::size_t known = 0;
  while (known < fields.size() && file >> fields.at(known)) ++known;
  if (known <= in_flight) return std::nullopt;
  if (known <= discards) fields[discards] = 0;
  if (known <= flushes) fields[flushes] = 0;
  return DeviceActivity{fields[reads] + fields[writes] + fields[discards] + fields[flushes],
                        fields[in_flight]};
}

}  // namespace satchel::disk
