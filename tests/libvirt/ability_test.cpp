#include <algorithm>
#include <catch2/catch.hpp>

#include "base/fault.hpp"
#include "contract.hpp"

using namespace satchel;
using namespace satchel::test;

TEST_CASE("the host says what it can run") {
  auto& world = EmbeddedWorld::instance();
  const auto ability = world.run(world.hypervisor.ability(Accelerator::tcg));
  CHECK(ability.architecture == "x86_64");
  CHECK(ability.emulator.find("qemu-system-x86_64") != std::string::npos);
  CHECK(ability.libvirt_version >= 9'000'000);
  CHECK(ability.emulator_version >= 7'000'000);
  CHECK(ability.free_memory.value > mebibytes(64).value);
  CHECK(ability.networks.empty());  // the embedded driver has none
  for (const std::string type : {"pc", "q35"})
    CHECK(std::count(ability.machine_types.begin(), ability.machine_types.end(), type) == 1);
}

TEST_CASE("an emulated guest is seen to run, and the answer is remembered") {
  auto& world = EmbeddedWorld::instance();
  CHECK(world.run(world.hypervisor.works(Accelerator::tcg)));
  auto again = world.begin(world.hypervisor.works(Accelerator::tcg));
  CHECK(world.until([&] { return Loop::done(again); }, std::chrono::seconds(1)));
  for (const auto& entry : world.run(world.hypervisor.domains()))
    CHECK(entry.name.find("probe") == std::string::npos);
}

TEST_CASE("whether KVM works is found by trying") {
  auto& world = EmbeddedWorld::instance();
  const bool kvm = world.run(world.hypervisor.works(Accelerator::kvm));
  WARN("KVM " << (kvm ? "works" : "does not work") << " here");
  for (const auto& event : world.events) CHECK(event.detail.find("probe") == std::string::npos);
  for (const auto& entry : world.run(world.hypervisor.domains()))
    CHECK(entry.name.find("probe") == std::string::npos);
}

TEST_CASE("a CPU that the host has not is an obstacle that names what is missing") {
  auto& world = EmbeddedWorld::instance();
  const auto obstacle = [&](const std::string& model) {
    return world.run(world.hypervisor.cpu_obstacle(
        "<cpu mode='custom' match='exact'><model>" + model + "</model></cpu>", "pc",
        Accelerator::tcg));
  };
  CHECK_FALSE(obstacle("qemu64"));
  const auto missing = obstacle("Skylake-Server");
  REQUIRE(missing);
  CHECK(missing->find("avx512f") != std::string::npos);
  CHECK_THROWS_AS(obstacle("NoSuchModel"), Fault);
}

TEST_CASE("the CPU of a running guest runs here") {
  auto& world = EmbeddedWorld::instance();
  TinyGuest guest;
  guest.name = "cpu";
  world.run(world.hypervisor.define(guest.xml()));
  world.run(world.hypervisor.start(guest.id, guest.xml()));
  const auto live = world.run(world.hypervisor.describe("cpu"))->live;
  const auto from = live.find("<cpu ");
  const auto to = live.find("</cpu>");
  REQUIRE(to != std::string::npos);
  CHECK_FALSE(world.run(
      world.hypervisor.cpu_obstacle(live.substr(from, to + 6 - from), "pc", Accelerator::tcg)));
  world.run(world.hypervisor.destroy(guest.id));
  world.run(world.hypervisor.undefine(guest.id));
}
