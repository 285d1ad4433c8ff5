// libosinfo's data as this host has them.
#include "osinfo/systems.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace satchel::osinfo;

TEST_CASE("a system is found by any of its ids, with what it needs and drives") {
  const Systems systems;
  const auto system = systems.find("debianbullseye");
  REQUIRE(system);
  CHECK(system->id == "debian11");
  CHECK(system->name == "Debian 11");
  CHECK(system->family == "linux");
  CHECK(system->devices.count("virtio1.0-block") == 1);  // inherited from earlier releases
  REQUIRE(system->memory);
  CHECK(system->memory->value >= 1U << 30);
  CHECK_FALSE(systems.find("debian"));
}

TEST_CASE("a device that a release lost is not one that it drives") {
  const Systems systems;
  const auto older = systems.find("ubuntu21.10");
  const auto newer = systems.find("ubuntu22.04");
  REQUIRE(older);
  REQUIRE(newer);
  CHECK(older->devices.count("virtio1.0-gpu") == 1);
  CHECK(newer->devices.count("virtio1.0-gpu") == 0);
}

TEST_CASE("a misspelt id is told what may be meant, nonsense nothing") {
  const Systems systems;
  const auto near = systems.near("debain11");
  CHECK(std::find(near.begin(), near.end(), "debian11") != near.end());
  CHECK(near.size() <= 5);
  CHECK(systems.near("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq").empty());
}

TEST_CASE("all systems are listed in order, each once") {
  const Systems systems;
  const auto all = systems.all();
  CHECK(all.size() > 100);
  CHECK(std::is_sorted(all.begin(), all.end(),
                       [](const auto& a, const auto& b) { return a.id < b.id; }));
}

TEST_CASE("what is no medium names no system") {
  const Systems systems;
  CHECK_FALSE(systems.on_medium("/etc/hostname"));
  CHECK_FALSE(systems.on_medium("/nonexistent"));
}
