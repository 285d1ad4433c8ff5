#include "libvirt/xml.hpp"

#include <catch2/catch.hpp>

#include "libvirt/events.hpp"

using namespace satchel;

namespace {

constexpr auto two_disks = R"(<domain><uuid>11111111-2222-3333-4444-555555555555</uuid><devices>
  <disk><target dev='vda'/><backingStore index='7'/><mirror ready='yes'/></disk>
  <disk><target dev='vdb'/><mirror ready='abort'/></disk>
  <disk><target dev='vdc'/><mirror/></disk></devices></domain>)";

}  // namespace

TEST_CASE("a snapshot's description names every disk and leaves the others alone") {
  const auto xml = snapshot_xml(two_disks, {{{"vdb", "/tmp/<over>.qcow2"}}, {}});
  REQUIRE(xml);
  CHECK(xml->find("<disk name=\"vda\" snapshot=\"no\"") != std::string::npos);
  CHECK(xml->find("<disk name=\"vdc\" snapshot=\"no\"") != std::string::npos);
  CHECK(xml->find("file=\"/tmp/&lt;over") != std::string::npos);
  CHECK_FALSE(snapshot_xml(two_disks, {{{"vdz", "/tmp/x"}}, {}}));
  CHECK_FALSE(snapshot_xml("<domain", {}));
}

TEST_CASE("a block job's progress and the file below are read from the live description") {
  CHECK(mirror_of(two_disks, "vda") == Mirror::ready);
  CHECK(mirror_of(two_disks, "vdb") == Mirror::failed);
  CHECK(mirror_of(two_disks, "vdc") == Mirror::copying);
  CHECK(mirror_of(two_disks, "vdz") == Mirror::none);
  CHECK(file_below(two_disks, "vda") == "vda[7]");
  CHECK_FALSE(file_below(two_disks, "vdb"));
}

TEST_CASE("a machine's uuid is found, and only a whole one") {
  CHECK(uuid_in(two_disks)->value.str() == "11111111-2222-3333-4444-555555555555");
  CHECK_FALSE(uuid_in("<domain><uuid>1</uuid></domain>"));
  CHECK_FALSE(uuid_in("nothing"));
}

TEST_CASE("probes have one name each, for libvirt keeps a log of every name") {
  for (const auto accelerator : {Accelerator::kvm, Accelerator::tcg})
    for (int i = 0; i < 2; ++i)
      CHECK(probe_xml(DomainId(Uuid::random()), accelerator)
                .find("<name>" + probe_name(accelerator) + "</name>") != std::string::npos);
  CHECK(probe_name(Accelerator::kvm) == "satchel-probe-kvm");
  CHECK(probe_name(Accelerator::tcg) != probe_name(Accelerator::kvm));
}

TEST_CASE("the processor that guests can have is read without what only this host means") {
  constexpr auto xml = R"(<domainCapabilities><cpu><mode name='host-passthrough' supported='yes'/>
    <mode name='host-model' supported='yes'><model fallback='forbid'>M</model><vendor>V</vendor>
    <feature policy='require' name='f'/></mode></cpu></domainCapabilities>)";
  CHECK(*read_host_model(xml) ==
        "<cpu mode=\"custom\" match=\"exact\"><model fallback=\"forbid\">M</model>"
        "<vendor>V</vendor><feature policy=\"require\" name=\"f\"/></cpu>");
  CHECK_FALSE(read_host_model("<domainCapabilities/>"));
  CHECK_FALSE(read_host_model("<"));
}

TEST_CASE("capabilities without the accelerator are a mistake that says so") {
  constexpr auto xml = R"(<capabilities><host><cpu><arch>x86_64</arch><model>M</model></cpu></host>
    <guest><os_type>hvm</os_type><arch name='x86_64'><emulator>/q</emulator>
    <machine canonical='pc-7'>pc</machine><machine>old</machine><domain type='qemu'/></arch></guest>
    </capabilities>)";
  const auto ability = read_capabilities(xml, Accelerator::tcg);
  REQUIRE(ability);
  CHECK(ability->emulator == "/q");
  CHECK(ability->host_cpu == "M");
  CHECK(ability->machine_types == std::vector<std::string>{"pc-7", "pc", "old"});
  const auto kvm = read_capabilities(xml, Accelerator::kvm);
  REQUIRE_FALSE(kvm);
  CHECK(to_string(kvm.error()).find("kvm") != std::string::npos);
}
