#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "base/fault.hpp"
#include "machine/fixtures.hpp"

using namespace satchel;
using namespace satchel::machine;
using namespace satchel::machine::tests;

namespace {

std::string written(const Reading& reading, Start start = Start::resume) {
  return write_domain(reading.machine, policy_for(reading.machine), plan_for(reading, start));
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Spaces between elements removed.
std::string squeezed(const std::string& xml) {
  std::string text;
  for (std::size_t at = 0; at < xml.size();) {
    const std::size_t end = std::min(xml.find('\n', at), xml.size());
    const std::size_t begin = std::min(xml.find_first_not_of(' ', at), end);
    text += xml.substr(begin, end - begin);
    at = end + 1;
  }
  return text;
}

}  // namespace

TEST_CASE("the guest sees the same machine again: reading what was written gives the same") {
  for (const char* name : {"q35-efi-everything", "pc-everything", "kvm-desktop"}) {
    INFO(name);
    const Reading reading = reading_of(name);
    const auto again = read_domain(written(reading));
    REQUIRE(again);
    Description expected = reading.machine;
    for (Interface& nic : expected.devices.interfaces) {
      const bool tap = nic.backend == "tap" && nic.model == "virtio";
      nic.backend = tap ? "tap" : "user";
      if (tap) nic.link = Switch::off;
      nic.network.clear();
    }
    expected.devices.graphics = {Graphics{"vnc"}};
    CHECK(write_json(again->machine) == write_json(expected));
    CHECK(again->machine == expected);
  }
}

TEST_CASE("what is written is valid by libvirt's own schema") {
  for (const char* name : {"q35-efi-everything", "pc-everything", "kvm-desktop"}) {
    const std::string path = std::string("written-") + name + ".xml";
    std::ofstream(path) << written(reading_of(name));
    INFO(name);
    CHECK(std::system(("virt-xml-validate " + path + " domain > " + path + ".log 2>&1").c_str()) ==
          0);
  }
}

TEST_CASE("a disk is an explicit chain of lent descriptors that ends") {
  const std::string xml = squeezed(written(reading_of("kvm-desktop")));
  CHECK(has(xml,
            "<source file=\"/var/lib/satchel/sessions/x/vda.qcow2\" />"
            "<backingStore type=\"file\"><format type=\"qcow2\" />"
            "<source file=\"/device/vda/cow.qcow2\" fdgroup=\"vda-cow\" />"
            "<backingStore type=\"file\"><format type=\"qcow2\" />"
            "<source file=\"/device/vda/image.qcow2\" fdgroup=\"vda-image\" />"
            "<backingStore /></backingStore></backingStore>"));
  CHECK(has(xml,
            "<driver name=\"qemu\" type=\"qcow2\" cache=\"writeback\" error_policy=\"stop\" "
            "rerror_policy=\"stop\" discard=\"unmap\" />"));
}

TEST_CASE("a live guest's chain is put in order whichever of its files is a descriptor") {
  const auto disk = [](const std::string& source, const std::string& below) {
    return "<domain><devices><disk><source file=\"/x/vda-1.qcow2\"" + source +
           " /><backingStore><source file=\"/x/vda.qcow2\"" + below +
           " /><backingStore /></backingStore><target dev=\"vda\" /></disk></devices></domain>";
  };
  const std::vector<SessionDisk> now{{"vda", {{"top", "/x/vda-1.qcow2", "qcow2"}}}};
  for (const auto& xml : {disk(" fdgroup=\"2\"", ""), disk("", " fdgroup=\"2\"")})
    CHECK(squeezed(with_chains(xml, now)) ==
          "<domain><devices><disk><target dev=\"vda\" />"
          "<source file=\"/x/vda-1.qcow2\" fdgroup=\"top\" /><backingStore />"
          "</disk></devices></domain>");
  // Of a machine that runs on its own disks none is a descriptor, and its files are what they were.
  CHECK(squeezed(with_chains(disk("", ""), now)) == squeezed(disk("", "")));
  CHECK(has(with_chains(disk("", " fdgroup=\"2\""), {}), "fdgroup=\"2\""));
  CHECK_THROWS_AS(with_chains("no XML", now), Fault);
}

TEST_CASE("a disk that the guest does not flush is written through") {
  CHECK(has(written(reading_of("pc-everything")), "cache=\"writethrough\""));
}

TEST_CASE("the host's own values are written, and only those") {
  Reading reading = reading_of("kvm-desktop");
  HostPolicy policy = policy_for(reading.machine);
  policy.emulator = "/opt/qemu";
  policy.accelerator = Accelerator::tcg;
  policy.listen_address = "127.0.0.9";
  SessionPlan plan = plan_for(reading, Start::boot);
  plan.domain_name = "desktop-2";
  const std::string xml = squeezed(write_domain(reading.machine, policy, plan));
  CHECK(has(xml, "<domain type=\"qemu\">"));
  CHECK(has(xml, "<name>desktop-2</name>"));
  CHECK(has(xml, "<emulator>/opt/qemu</emulator>"));
  CHECK(has(xml,
            "<nvram template=\"/usr/share/OVMF/OVMF_VARS_4M.fd\">"
            "/var/lib/satchel/sessions/x/nvram.fd</nvram>"));
  CHECK(has(xml,
            "<graphics type=\"vnc\" port=\"-1\" autoport=\"yes\">"
            "<listen type=\"address\" address=\"127.0.0.9\" />"));
  CHECK_FALSE(has(xml, "spice\""));
  CHECK(has(xml, "<channel type=\"unix\"><target type=\"virtio\" name=\"org.qemu.guest_agent.0\""));
  CHECK(has(xml, "<channel type=\"null\"><target type=\"virtio\" name=\"com.redhat.spice.0\""));
}

TEST_CASE("a display listens on no address unless the host's policy names one") {
  const Reading reading = reading_of("kvm-desktop");
  HostPolicy policy = policy_for(reading.machine);
  policy.spice = Spice::offered;
  const std::string xml =
      squeezed(write_domain(reading.machine, policy, plan_for(reading, Start::boot)));
  CHECK(has(xml, "<graphics type=\"vnc\"><listen type=\"socket\" /></graphics>"));
  CHECK(has(xml, "<graphics type=\"spice\"><listen type=\"socket\" /></graphics>"));
  CHECK_FALSE(has(xml, "address=\"127"));
}

TEST_CASE("the first serial port is logged without being emptied, the others say nothing") {
  const std::string xml = squeezed(written(reading_of("pc-everything")));
  CHECK(has(xml, "<source path=\"/var/lib/satchel/sessions/x/serial.log\" append=\"on\" />"));
  CHECK(has(xml, "<serial type=\"file\"><target type=\"isa-serial\" port=\"2\">"));
  CHECK(has(xml, "<serial type=\"null\"><target type=\"pci-serial\" port=\"1\">"));
}

TEST_CASE("networks are mapped by name, else the default, else NAT, else unplugged") {
  const Reading reading = reading_of("kvm-desktop");  // "lab" (virtio) and a bridge (e1000e)
  HostPolicy policy = policy_for(reading.machine);
  const auto xml = [&](Start start) {
    return squeezed(write_domain(reading.machine, policy, plan_for(reading, start)));
  };
  CHECK(has(xml(Start::boot), "<interface type=\"user\"><mac address=\"52:54:00:6b:3c:58\" />"));
  CHECK_FALSE(has(xml(Start::boot), "state=\"down\""));
  policy.otherwise = NetworkFallback::link_down;
  CHECK(has(xml(Start::boot), "<link state=\"down\" />"));
  policy.default_network = "default";
  CHECK(has(xml(Start::boot), "<source network=\"default\" />"));
  policy.networks = {{"lab", "office"}};
  CHECK(has(xml(Start::resume), "<source network=\"office\" />"));
  CHECK_FALSE(has(xml(Start::resume), "state=\"down\""));
}

TEST_CASE("the memory image decides what kind of connection a resumed interface gets") {
  const Reading taps = reading_of("kvm-desktop");
  const std::string tap = squeezed(written(taps, Start::resume));
  CHECK(has(tap, "<interface type=\"ethernet\"><mac address=\"52:54:00:6b:3c:58\" />"));
  CHECK(has(tap, "<interface type=\"user\"><mac address=\"52:54:00:6b:3c:59\" />"));
  const auto& cards = taps.machine.devices.interfaces;
  HostPolicy here = policy_for(taps.machine);
  CHECK(comes_unplugged(cards.at(0), here, Start::resume));
  CHECK_FALSE(comes_unplugged(cards.at(0), here, Start::boot));
  CHECK_FALSE(comes_unplugged(cards.at(1), here, Start::resume));
  here.default_network = "default";
  CHECK_FALSE(comes_unplugged(cards.at(0), here, Start::resume));

  const Reading users = reading_of("q35-efi-everything");
  HostPolicy policy = policy_for(users.machine);
  policy.default_network = "default";
  const std::string user = write_domain(users.machine, policy, plan_for(users, Start::resume));
  CHECK(has(user, "<interface type=\"user\">"));
  CHECK_FALSE(has(user, "<interface type=\"network\">"));
}

TEST_CASE("SPICE is offered again where the machine had it and the host can") {
  const Reading reading = reading_of("kvm-desktop");
  HostPolicy policy = policy_for(reading.machine);
  policy.spice = Spice::offered;
  const std::string xml = write_domain(reading.machine, policy, plan_for(reading, Start::boot));
  CHECK(has(xml, "<graphics type=\"spice\""));
  CHECK(has(xml, "<channel type=\"spicevmc\">"));
}

TEST_CASE("a plan without files for a disk is a fault of this program, not XML") {
  const Reading reading = reading_of("kvm-desktop");
  SessionPlan plan = plan_for(reading, Start::boot);
  plan.disks.pop_back();
  CHECK_THROWS_AS(write_domain(reading.machine, policy_for(reading.machine), plan), Fault);
}
