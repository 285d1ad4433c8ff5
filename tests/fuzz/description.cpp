// A machine's description as a device has it, and the domain that libvirt is given for it: what
// names something of this host comes from this host alone.
#include "machine/description.hpp"

#include <pugixml.hpp>
#include <set>
#include <string>

#include "base/fault.hpp"
#include "fuzz/input.hpp"
#include "machine/preflight.hpp"
#include "machine/writing.hpp"
#include "ports/hypervisor.hpp"

using namespace satchel;
using namespace satchel::fuzz;
using namespace satchel::machine;

namespace {

/// Begins all that this host has, so that nothing of a description can pass for it by chance.
constexpr std::string_view ours = "/ours/";

HostPolicy policy_for(const Description& machine) {
  HostPolicy policy;
  policy.emulator = "/ours/qemu";
  policy.accelerator = machine.accelerator;
  policy.spice = Spice::offered;
  for (const auto secure : {FirmwareFiles::SecureBoot::no, FirmwareFiles::SecureBoot::yes}) {
    FirmwareFiles files;
    files.loader = "/ours/code.fd";
    files.nvram_template = "/ours/vars.fd";
    files.loader_size = ByteCount(machine.boot.firmware.loader_size.value_or(1));
    files.secure_boot = secure;
    files.machines = {"pc-"};
    policy.firmware.push_back(files);
  }
  return policy;
}

HostAbility ability_for(const Description& machine) {
  HostAbility host{};
  host.architecture = "x86_64";
  host.machine_types = {machine.machine_type};
  host.free_memory = ByteCount(std::uint64_t{1} << 62);
  return host;
}

SessionPlan plan_for(const Description& machine) {
  SessionPlan plan;
  plan.domain_name = "ours";
  plan.serial_log_path = "/ours/serial.log";
  plan.nvram_path = "/ours/nvram.fd";
  for (const auto& disk : machine.devices.disks)
    plan.disks.push_back(
        {disk.target,
         {{"", "/ours/overlay.qcow2", "qcow2"}, {"group", "/ours/image.qcow2", "qcow2"}}});
  return plan;
}

/// Elements that are a path of the host, or whose attributes are, and that run or open something.
bool names_host(std::string_view name) {
  static const std::set<std::string_view> names{"file",   "path",   "dev",      "emulator",
                                                "loader", "nvram",  "template", "dir",
                                                "socket", "script", "kernel",   "initrd"};
  return names.contains(name);
}

/// A target's `dev` is the guest's word for it: "vda".
bool is_guests(const pugi::xml_node& node, std::string_view attribute) {
  const std::string_view name = node.name();
  return attribute == "dev" && (name == "target" || name == "boot");
}

void check(const pugi::xml_node& node) {
  const std::string_view name = node.name();
  must(name.find(':') == name.npos && name != "commandline" && name != "hostdev" &&
           name != "filesystem" && name != "shmem",
       "nothing goes past libvirt, and nothing of this host is passed through");
  if (names_host(name) && *node.child_value() != '\0')
    must(std::string_view(node.child_value()).starts_with(ours), "paths are this host's");
  for (const auto& attribute : node.attributes())
    must(!names_host(attribute.name()) || is_guests(node, attribute.name()) ||
             std::string_view(attribute.value()).starts_with(ours),
         "paths in attributes are this host's");
  for (const auto& child : node.children())
    if (child.type() == pugi::node_element) check(child);
}

void check_domain(const Description& machine, Start start) {
  const auto policy = policy_for(machine);
  if (!obstacles(machine, ability_for(machine), policy, start).empty()) return;
  const auto xml = write_domain(machine, policy, plan_for(machine));
  pugi::xml_document document;
  must(document.load_string(xml.c_str()), "a domain is XML");
  const auto domain = document.child("domain");
  must(domain && domain == document.first_child() && !domain.next_sibling(),
       "a domain is one element");
  must(std::string_view(domain.child("name").child_value()) == "ours",
       "a domain has the name that this host gives it");
  check(domain);
  ++accepted();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto machine = read_json(fuzz::Input(data, size).rest());
  if (!machine) return 0;
  const auto again = read_json(write_json(*machine));
  must(again && *again == *machine, "a description that was written reads the same");
  check_domain(*machine, Start::boot);
  check_domain(*machine, Start::resume);
  return 0;
}
