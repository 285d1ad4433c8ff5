// What becomes of libosinfo's data.
#include "osinfo/advice.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace satchel;
using namespace satchel::osinfo;

namespace {

const Means large{mebibytes(65536), 16};

bool has(const Advice& advice, const std::string& device) {
  return std::find(advice.devices.begin(), advice.devices.end(), device) != advice.devices.end();
}

System named(const std::string& id) {
  static const Systems systems;
  auto found = systems.find(id);
  REQUIRE(found);
  return std::move(*found);
}

}  // namespace

TEST_CASE("today's Linux gets virtio everywhere") {
  const auto advice = advise(named("debian11"), large);
  CHECK(advice.disk_bus == "virtio");
  CHECK(advice.network == "virtio");
  CHECK(advice.video == "virtio");
  CHECK(advice.clock == "utc");
  for (const char* device : {"rng", "balloon", "agent", "tablet"}) {
    INFO(device);
    CHECK(has(advice, device));
  }
  CHECK_FALSE(has(advice, "hyperv"));
  CHECK(advice.notes.empty());
}

TEST_CASE("Windows gets what it drives by itself, and its clock") {
  const auto advice = advise(named("win10"), large);
  CHECK(advice.disk_bus == "sata");
  CHECK(advice.network.starts_with("e1000"));
  CHECK(advice.clock == "localtime");
  CHECK(has(advice, "hyperv"));
  CHECK_FALSE(has(advice, "balloon"));
  CHECK(advice.notes.size() == 1);
}

TEST_CASE("memory is what is recommended, half of the host's at most, and never too little") {
  System system;
  system.memory = mebibytes(4096);
  system.least_memory = mebibytes(1024);
  CHECK(advise(system, large).memory == mebibytes(4096));
  CHECK(advise(system, {mebibytes(6144), 4}).memory == mebibytes(3072));
  CHECK(advise(system, {mebibytes(1024), 4}).memory == mebibytes(1024));
  system.cpus = 8;
  CHECK(advise(system, {mebibytes(6144), 4}).cpus == 4);
  CHECK(advise(system, {mebibytes(6144), 0}).cpus == 1);
}

TEST_CASE("a system of which nothing is known gets what every PC has") {
  const auto advice = advise(System{}, large);
  CHECK(advice.disk_bus == "sata");
  CHECK(advice.network == "e1000");
  CHECK(advice.video == "vga");
  CHECK(advice.memory == mebibytes(2048));
}
