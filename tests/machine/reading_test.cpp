#include <algorithm>
#include <catch2/catch.hpp>

#include "machine/fixtures.hpp"
#include "machine/travel_rules.hpp"

using namespace satchel;
using namespace satchel::machine;
using namespace satchel::machine::tests;

namespace {

bool tells(const Mistakes& mistakes, const std::string& part) {
  return to_string(mistakes).find(part) != std::string::npos;
}

std::string with_device(const std::string& device) {
  return replaced(domain_text("kvm-desktop"), "<memballoon", device + "<memballoon");
}

}  // namespace

TEST_CASE("a running machine is read with the addresses that its memory depends on") {
  const Description machine = reading_of("q35-efi-everything").machine;
  CHECK(machine.name == "fullq35");
  CHECK(machine.machine_type == "pc-q35-7.2");
  CHECK(machine.accelerator == Accelerator::tcg);
  CHECK(machine.memory_kib == 131072u);
  CHECK(machine.max_memory_kib == 524288u);
  CHECK(machine.vcpus == 2u);
  CHECK(machine.current_vcpus == 1u);
  CHECK(machine.cpu->numa.at(0).memory_kib == 131072u);
  CHECK(machine.devices.controllers.size() == 16);
  const Address& address = machine.devices.disks.at(0).place.address.value();
  CHECK(address.type == "pci");
  CHECK(address.bus == 7u);
  CHECK(machine.devices.redirections.size() == 1);
  CHECK(machine.devices.interfaces.at(0).place.alias == "ua-nic0");
  CHECK(machine.devices.interfaces.at(0).backend == "user");
}

TEST_CASE("the migratable and the plain XML of a pc machine give all of its devices") {
  const Description machine = reading_of("pc-everything").machine;
  CHECK(machine.devices.disks.size() == 6);
  CHECK(machine.devices.disks.at(0).write_through);
  CHECK(machine.devices.disks.at(0).serial == "ROOT-1");
  CHECK(machine.devices.consoles.size() == 1);
  CHECK(machine.devices.serials.size() == 2);
  CHECK(machine.devices.channels.at(1).name == "my.port");
  CHECK(machine.features.hyperv.size() == 3);
  CHECK(machine.features.hyperv.at(2).retries == 8191u);
  CHECK(machine.devices.interfaces.at(0).backend == "tap");
}

TEST_CASE("what names the host never enters the description") {
  for (const char* name : {"q35-efi-everything", "pc-everything", "kvm-desktop"}) {
    const std::string json = write_json(reading_of(name).machine);
    for (const char* trace : {"/srv/", "/var/", "/usr/", "/dev/", "virbr7", "br0", "vnet", "secret",
                              "0.0.0.0", "seclabel"}) {
      INFO(name << " " << trace);
      CHECK(json.find(trace) == std::string::npos);
    }
  }
}

TEST_CASE("the files of the disks are told apart from the machine, with their chains") {
  const Reading reading = reading_of("kvm-desktop");
  REQUIRE(reading.disks.size() == 2);
  CHECK(reading.disks[0].path == "/srv/machines/desktop-today.qcow2");
  CHECK(reading.disks[0].format == "qcow2");
  CHECK(reading.disks[0].backing == std::vector<Backing>{{"/srv/machines/desktop.qcow2", "qcow2"},
                                                         {"/srv/machines/golden.img", "raw"}});
  CHECK(reading.disks[0].chain == DiskSource::Chain::as_listed);
  CHECK(reading.disks[1].path == "/dev/vg0/desktop-home");
  CHECK(reading.disks[1].format == "raw");
  CHECK(reading.nvram_path == "/var/lib/libvirt/qemu/nvram/desktop_VARS.fd");
  CHECK(reading.loader_path == "/usr/share/OVMF/OVMF_CODE_4M.fd");
  CHECK(reading.machine.boot.firmware.loader_name == "OVMF_CODE_4M.fd");
}

TEST_CASE("an inactive definition says nothing about what is below a disk") {
  const std::string xml =
      replaced(domain_text("kvm-desktop"), "<backingStore/>\n      <target", "<target");
  const auto reading = read_domain(xml, Moment::shut_off);
  REQUIRE(reading);
  CHECK(reading->disks[1].chain == DiskSource::Chain::unknown);
}

TEST_CASE("what stays behind harmlessly is told, each with its place") {
  const Reading reading = reading_of("kvm-desktop");
  for (const char* place :
       {"domain/title", "domain/memoryBacking", "domain/cputune", "domain/vcpu/@cpuset",
        "domain/devices/disk[1]/iotune", "domain/devices/interface[2]", "domain/on_crash",
        "domain/devices/graphics/@passwd", "domain/devices/graphics[@type='spice']"}) {
    INFO(place);
    CHECK(std::any_of(reading.left_behind.begin(), reading.left_behind.end(),
                      [&](const Mistake& left) { return left.where == place; }));
  }
  CHECK(reading.left_behind.size() == 9);
  CHECK(tells(reading_of("q35-efi-everything").left_behind, "the medium /srv/machines/cd.qcow2"));
}

TEST_CASE("a name of characters that do not travel is fitted, and told") {
  const auto named = [](const std::string& name) {
    return read_domain(
        replaced(domain_text("kvm-desktop"), "<name>desktop</name>", "<name>" + name + "</name>"));
  };
  const auto reading = named("Büro &amp; Küche");
  REQUIRE(reading);
  CHECK(reading->machine.name == "B-ro - K-che");
  CHECK(tells(reading->left_behind, "domain/name: libvirt on other computers calls it"));
  CHECK(named(std::string(300, 'n'))->machine.name == std::string(100, 'n'));
  CHECK_FALSE(tells(named("desktop 2")->left_behind, "domain/name"));
}

TEST_CASE("what can't travel is refused by name, all at once") {
  std::string xml = with_device(
      "<hostdev mode='subsystem' type='usb'/><filesystem type='mount'/><shmem name='x'/>"
      "<memory model='dimm'/><tpm model='tpm-tis'><backend type='passthrough'/></tpm>"
      "<disk type='network' device='disk'><source protocol='rbd' name='x'/><target "
      "dev='vdc'/></disk>"
      "<interface type='vhostuser'/><vsock/><gizmo/>");
  xml = replaced(xml, "<title>", "<launchSecurity type='sev'/><qemu:commandline/><title>");
  xml = replaced(xml, "<source type='memfd'/>", "<access mode='shared'/>");
  const auto reading = read_domain(xml);
  REQUIRE_FALSE(reading);
  for (const char* place :
       {"domain/devices/hostdev", "domain/devices/filesystem", "domain/devices/shmem",
        "domain/devices/memory", "domain/devices/tpm[2]", "domain/devices/disk[3]",
        "domain/devices/interface[3]", "domain/devices/vsock", "domain/devices/gizmo",
        "domain/launchSecurity", "domain/qemu:commandline", "domain/memoryBacking/access"}) {
    INFO(place << " in " << to_string(reading.error()));
    CHECK(tells(reading.error(), place));
  }
  CHECK(reading.error().size() == 12);
}

TEST_CASE("a device that only the memory needs is left out of a machine that is shut off") {
  const std::string xml = with_device("<vsock model='virtio'><cid auto='yes'/></vsock>");
  CHECK_FALSE(read_domain(xml, Moment::running));
  const auto reading = read_domain(xml, Moment::shut_off);
  REQUIRE(reading);
  CHECK(tells(reading->left_behind, "vsock"));
  // libvirt gives a smartcard its own controller.
  const std::string card = with_device(
      "<smartcard mode='passthrough' type='spicevmc'/><controller type='ccid' index='0'/>");
  CHECK_FALSE(read_domain(card, Moment::running));
  CHECK(read_domain(card, Moment::shut_off));
}

TEST_CASE("disks that other parties take part in are refused") {
  for (const char* part :
       {"<shareable/>", "<transient/>", "<mirror type='file'/>", "<encryption format='luks'/>"}) {
    INFO(part);
    CHECK_FALSE(read_domain(with_device(
        std::string("<disk type='file' device='disk'><source file='/x'/><target dev='vdx' "
                    "bus='virtio'/>") +
        part + "</disk>")));
  }
  const auto vmdk = read_domain(with_device(
      "<disk type='file' device='disk'><driver name='qemu' type='vmdk'/><source file='/x'/>"
      "<target dev='vdx' bus='virtio'/></disk>"));
  REQUIRE_FALSE(vmdk);
  CHECK(tells(vmdk.error(), "only raw and qcow2"));
}

TEST_CASE("XML that is none, or of something else, is refused without a crash") {
  CHECK_FALSE(read_domain(""));
  CHECK_FALSE(read_domain("<domain"));
  CHECK_FALSE(read_domain("<network><name>x</name></network>"));
  CHECK_FALSE(read_domain("<domain type='kvm'/>"));
  const auto lxc = read_domain("<domain type='lxc'><name>x</name></domain>");
  REQUIRE_FALSE(lxc);
  CHECK(tells(lxc.error(), "only QEMU machines"));
}

TEST_CASE("every rule about what can't travel is a valid expression with a reason") {
  for (const auto& rules :
       {travel_rules().refused, travel_rules().refused_while_running, travel_rules().left_behind}) {
    for (const TravelRule& rule : rules) CHECK(std::string(rule.why).size() > 5);
  }
}
