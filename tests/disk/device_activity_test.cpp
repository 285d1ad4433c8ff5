#include "disk/device_activity.hpp"

#include <catch2/catch.hpp>
#include <fstream>

#include "disk/files.hpp"

namespace satchel::disk {

TEST_CASE("what the kernel counts of a device is read, whatever kernel it is") {
  const Files files;
  const auto sysfs = files.path("");
  const auto write = [&](const char* line) { std::ofstream(files.path("stat")) << line; };
  CHECK_FALSE(read_activity(sysfs));
  write("  62361 1596 2406230 52173 9637 9156 152957 24650 1 38972 87459 2 0 0 0 5951 10635\n");
  CHECK(read_activity(sysfs) == DeviceActivity{62361 + 9637 + 2 + 5951, 1});
  write("  62361 1596 2406230 52173 9637 9156 152957 24650 3 38972 87459 2 0 0 0\n");
  CHECK(read_activity(sysfs) == DeviceActivity{62361 + 9637 + 2, 3});
  write("  62361 1596 2406230 52173 9637 9156 152957 24650 0 38972 87459\n");
  CHECK(read_activity(sysfs) == DeviceActivity{62361 + 9637, 0});
  for (const auto* other : {"", "62361 1596", "a device"}) {
    write(other);
    CHECK_FALSE(read_activity(sysfs));
  }
}

}  // namespace satchel::disk
