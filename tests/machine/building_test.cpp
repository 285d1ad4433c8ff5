// Machines that were no libvirt domain before.
#include "machine/building.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "machine/fixtures.hpp"

using namespace satchel;
using namespace satchel::machine;
using namespace satchel::machine::tests;

namespace {

Wish usual() {
  Wish wish;
  wish.name = "web";
  wish.machine_type = "pc-q35-7.2";
  wish.memory = mebibytes(2048);
  wish.cpus = 2;
  return wish;
}

Description built(const Wish& wish) {
  auto machine = build_machine(wish);
  INFO((machine ? std::string() : to_string(machine.error())));
  REQUIRE(machine);
  return std::move(*machine);
}

Reading as_reading(Description machine) {
  Reading out;
  for (const auto& disk : machine.devices.disks)
    if (disk.device == "disk") out.disks.push_back({disk.target, "/d", "raw", {}, {}});
  out.machine = std::move(machine);
  return out;
}

std::string xml_of(const Description& machine) {
  const auto reading = as_reading(machine);
  auto plan = plan_for(reading, Start::boot);
  return write_domain(machine, policy_for(machine), plan);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a machine has no more memory in its NUMA cells than it says to need") {
  auto machine = built(usual());
  machine.cpu->numa.resize(2);
  for (auto& cell : machine.cpu->numa) cell.memory_kib = *machine.memory_kib / 2;
  CHECK(inconsistencies(machine).empty());
  SECTION("a little") { machine.cpu->numa[1].memory_kib = *machine.memory_kib / 2 + 1; }
  SECTION("as much as can't be summed up") {
    for (auto& cell : machine.cpu->numa) cell.memory_kib = std::uint64_t{1} << 63;
  }
  CHECK(to_string(inconsistencies(machine)).find("numa cells") != std::string::npos);
}

TEST_CASE("a new machine has what today's guests drive best") {
  const auto machine = built(usual());
  CHECK(inconsistencies(machine).empty());
  CHECK(memory(machine) == mebibytes(2048));
  const auto& devices = machine.devices;
  REQUIRE(devices.disks.size() == 1);
  CHECK(devices.disks[0].target == "vda");
  CHECK(devices.disks[0].bus == "virtio");
  CHECK(devices.interfaces.at(0).model == "virtio");
  CHECK(devices.rngs.size() == 1);
  CHECK(devices.balloons.at(0).free_page_reporting == Switch::on);
  CHECK(devices.channels.at(0).name == "org.qemu.guest_agent.0");
  const auto xml = xml_of(machine);
  CHECK(has(xml, "freePageReporting=\"on\""));
  CHECK(has(xml, "discard=\"unmap\""));
  CHECK(has(xml, "type=\"tablet\" bus=\"usb\""));
}

TEST_CASE("free page reporting, and all else, survive XML and JSON") {
  auto wish = usual();
  wish.medium = Wish::Medium::cd;
  for (const auto firmware : {Wish::Kind::bios, Wish::Kind::efi}) {
    wish.firmware = firmware;
    const auto machine = built(wish);
    CHECK(*read_json(write_json(machine)) == machine);
    if (firmware == Wish::Kind::efi) continue;  // needs the host's firmware
    const auto again = read_domain(xml_of(machine), Moment::shut_off);
    INFO((again ? std::string() : to_string(again.error())));
    REQUIRE(again);
    CHECK(again->left_behind.empty());
    CHECK(again->machine.devices.balloons == machine.devices.balloons);
    CHECK(again->machine.devices.disks == machine.devices.disks);
    CHECK(again->machine.boot == machine.boot);
    CHECK(again->machine.cpu == machine.cpu);
  }
}

TEST_CASE("an older system gets the devices that it knows") {
  auto wish = usual();
  wish.disk_bus = "sata";
  wish.network = "e1000e";
  wish.video = "vga";
  wish.rng = wish.balloon = wish.agent = Wish::Drives::no;
  wish.medium = Wish::Medium::cd;
  wish.clock = Wish::Clock::local_time;
  const auto machine = built(wish);
  const auto& devices = machine.devices;
  REQUIRE(devices.disks.size() == 2);
  CHECK(devices.disks[0].target == "sda");
  CHECK(devices.disks[1].target == "sdb");
  CHECK(devices.disks[1].device == "cdrom");
  CHECK(devices.rngs.empty());
  CHECK(devices.channels.empty());
  CHECK(devices.balloons.at(0).model == "none");
  CHECK(machine.clock.offset == "localtime");
  CHECK_FALSE(has(xml_of(machine), "virtio"));
}

TEST_CASE("the empty disk is asked first, so the CD starts until something is installed") {
  auto wish = usual();
  wish.medium = Wish::Medium::cd;
  const auto machine = built(wish);
  CHECK(machine.devices.disks.at(0).place.boot_order == 1);
  CHECK(machine.devices.disks.at(1).place.boot_order == 2);
}

TEST_CASE("Hyper-V's enlightenments are for Windows under KVM only") {
  auto wish = usual();
  wish.hyperv = Wish::Drives::yes;
  wish.accelerator = Accelerator::tcg;
  CHECK(built(wish).features.hyperv.empty());
  wish.accelerator = Accelerator::kvm;
  const auto xml = xml_of(built(wish));
  CHECK(has(xml, "<spinlocks state=\"on\" retries=\"8191\""));
}

TEST_CASE("no word from outside gets past the lists") {
  for (const auto change :
       {+[](Wish& wish) { wish.disk_bus = "nvme"; },
        +[](Wish& wish) { wish.network = "virtio'/><x y='"; },
        +[](Wish& wish) { wish.video = "cuda"; }, +[](Wish& wish) { wish.cpus = 0; },
        +[](Wish& wish) { wish.cpus = 100000; }, +[](Wish& wish) { wish.memory = ByteCount(); }}) {
    auto wish = usual();
    change(wish);
    CHECK_FALSE(build_machine(wish));
  }
}

TEST_CASE("a capsule's name becomes one that libvirt can bear") {
  auto wish = usual();
  wish.name = "Grüße <an> alle";
  CHECK(built(wish).name == "Gr----e -an- alle");
  wish.name = std::string(255, 'x');
  CHECK(built(wish).name.size() == 100);
}

TEST_CASE("two machines have nothing of each other's identity") {
  const auto one = built(usual());
  const auto other = built(usual());
  CHECK(one.id != other.id);
  CHECK(one.devices.interfaces[0].mac != other.devices.interfaces[0].mac);
}

TEST_CASE("the newest versioned q35 is chosen, by number") {
  CHECK(newest_q35({"pc", "q35", "pc-q35-7.2", "pc-q35-10.0", "pc-q35-9.2", "pc-i440fx-11.0"}) ==
        "pc-q35-10.0");
  CHECK(newest_q35({"pc-q35-rhel8.2.0", "pc-q35-2.12"}) == "pc-q35-2.12");
  CHECK_FALSE(newest_q35({"q35", "pc-i440fx-7.2"}));
  CHECK(older_type("pc-q35-9.2", "pc-q35-10.0"));
  CHECK_FALSE(older_type("pc-q35-10.0", "pc-q35-9.2"));
}

TEST_CASE("what is built is valid by libvirt's own schema") {
  auto wish = usual();
  wish.medium = Wish::Medium::cd;
  std::ofstream("built.xml") << xml_of(built(wish));
  CHECK(std::system("virt-xml-validate built.xml domain > built.xml.log 2>&1") == 0);
}
