#include "machine/preflight.hpp"

#include <catch2/catch.hpp>

#include "machine/fixtures.hpp"

using namespace satchel;
using namespace satchel::machine;
using namespace satchel::machine::tests;

namespace {

HostAbility able_host() {
  HostAbility host{};
  host.architecture = "x86_64";
  host.machine_types = {"pc-q35-7.2", "q35", "pc-i440fx-7.2"};
  host.free_memory = mebibytes(8192);
  return host;
}

using Blocks = Obstacle::Blocks;

}  // namespace

TEST_CASE("nothing is in the way on a host that can do what the machine needs") {
  const Description machine = reading_of("kvm-desktop").machine;
  CHECK(obstacles(machine, able_host(), policy_for(machine), Start::resume).empty());
  CHECK(memory(machine) == mebibytes(4096));
}

TEST_CASE("a memory image of another accelerator can't go on, a boot can") {
  const Description machine = reading_of("kvm-desktop").machine;
  HostPolicy policy = policy_for(machine);
  policy.accelerator = Accelerator::tcg;
  const auto found = obstacles(machine, able_host(), policy, Start::resume);
  REQUIRE(found.size() == 1);
  CHECK(found[0].blocks == Blocks::resume);
  CHECK(found[0].what.find("KVM") != std::string::npos);
  CHECK(found[0].next.find("Start it afresh") == 0);
  CHECK(obstacles(machine, able_host(), policy, Start::boot).empty());
}

TEST_CASE("all that is missing on a host is said, with what to do") {
  const Description machine = reading_of("kvm-desktop").machine;
  HostAbility host = able_host();
  host.machine_types = {"pc-q35-6.0"};
  host.free_memory = mebibytes(1024);
  HostPolicy policy = policy_for(machine);
  policy.firmware.clear();
  const auto found = obstacles(machine, host, policy, Start::resume, TpmEmulator::absent);
  REQUIRE(found.size() == 4);
  for (const Obstacle& obstacle : found) {
    CHECK(obstacle.blocks == Blocks::everything);
    CHECK(obstacle.what.ends_with("."));
    CHECK(obstacle.next.ends_with("."));
  }
}

TEST_CASE("another architecture is the only thing said about it") {
  const Description machine = reading_of("kvm-desktop").machine;
  HostAbility host = able_host();
  host.architecture = "aarch64";
  CHECK(obstacles(machine, host, policy_for(machine), Start::boot).size() == 1);
}

TEST_CASE("firmware is chosen by name, else by size and kind, never of another size") {
  Description machine = reading_of("kvm-desktop").machine;
  const HostPolicy policy = policy_for(machine);
  CHECK(firmware_for(machine, policy.firmware) == &policy.firmware[0]);
  machine.boot.firmware.secure_boot = Switch::on;
  CHECK(firmware_for(machine, policy.firmware) == &policy.firmware[1]);
  machine.boot.firmware.loader_size = 2 << 20;
  CHECK(firmware_for(machine, policy.firmware) == nullptr);
  machine.boot.firmware.kind = "bios";
  CHECK(firmware_for(machine, policy.firmware) == nullptr);
}

TEST_CASE("firmware is found by QEMU's descriptors") {
  const auto files = read_firmware_descriptor(R"({
      "interface-types": ["uefi"],
      "mapping": {"device": "flash",
                  "executable": {"filename": "/f/CODE.fd", "format": "raw"},
                  "nvram-template": {"filename": "/f/VARS.fd", "format": "raw"}},
      "targets": [{"architecture": "x86_64", "machines": ["pc-q35-*"]}],
      "features": ["requires-smm", "secure-boot"]})");
  REQUIRE(files);
  CHECK(files->loader == "/f/CODE.fd");
  CHECK(files->nvram_template == "/f/VARS.fd");
  CHECK(files->secure_boot == FirmwareFiles::SecureBoot::yes);
  CHECK(files->machines == std::vector<std::string>{"pc-q35-"});
  for (const char* other : {"", "[]", "{}", R"({"interface-types":["bios"]})",
                            R"({"interface-types":7,"mapping":[],"targets":{"a":1}})"}) {
    CHECK_FALSE(read_firmware_descriptor(other));
  }
  CHECK(firmware_on_host({"/nowhere"}).empty());
}

TEST_CASE("the CPU is given to be compared without what only its own host knows") {
  CHECK(cpu_xml(reading_of("kvm-desktop").machine) ==
        R"(<cpu mode="custom" match="exact" check="full">)"
        R"(<model fallback="forbid">Skylake-Client-IBRS</model><vendor>Intel</vendor>)"
        R"(<topology sockets="1" dies="1" cores="4" threads="1"/>)"
        R"(<cache mode="emulate" level="3"/><feature name="ss" policy="require"/>)"
        R"(<feature name="hle" policy="disable"/></cpu>)");
  Description none = reading_of("kvm-desktop").machine;
  none.cpu.reset();
  CHECK(cpu_xml(none).find("qemu64") != std::string::npos);
}
