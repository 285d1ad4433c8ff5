#include "machine/description.hpp"

#include <limits>
#include <pugixml.hpp>
#include <set>
#include <sstream>

#include "machine/xml_visitors.hpp"

namespace satchel::machine {

namespace {

/// What can stand only once, by its name.
class Unique {
 public:
  explicit Unique(Mistakes& mistakes) : mistakes_(mistakes) {}
  void claim(const std::string& what, const std::string& name) {
    if (!names_.insert(what + " " + name).second) {
      mistakes_.push_back({what + " " + name, "stands twice"});
    }
  }

 private:
  Mistakes& mistakes_;
  std::set<std::string> names_;
};

std::string text_of(const Number& number) { return number ? std::to_string(*number) : "0"; }

void claim_place(Unique& unique, const Place& place) {
  if (!place.alias.empty()) unique.claim("alias", place.alias);
  if (!place.address || place.address->type != "pci") return;
  const Address& address = *place.address;
  unique.claim("PCI address", text_of(address.domain) + ":" + text_of(address.bus) + ":" +
                                  text_of(address.slot) + "." + text_of(address.function));
}

template <class T>
void claim_places(Unique& unique, const std::vector<T>& devices) {
  for (const T& device : devices) claim_place(unique, device.place);
}

void check_devices(const Devices& devices, Mistakes& mistakes) {
  Unique unique(mistakes);
  for (const Disk& disk : devices.disks) {
    if (disk.target.empty()) mistakes.push_back({"disk", "has no target"});
    if (disk.device.empty()) mistakes.push_back({"disk " + disk.target, "has no device type"});
    unique.claim("disk", disk.target);
  }
  for (const Controller& controller : devices.controllers) {
    if (controller.type.empty()) mistakes.push_back({"controller", "has no type"});
  }
  for (const Interface& nic : devices.interfaces) {
    if (nic.backend.empty()) mistakes.push_back({"interface " + nic.mac, "has no backend"});
    if (!nic.mac.empty()) unique.claim("interface", nic.mac);
  }
  claim_places(unique, devices.controllers);
  claim_places(unique, devices.disks);
  claim_places(unique, devices.interfaces);
  claim_places(unique, devices.serials);
  claim_places(unique, devices.inputs);
  claim_places(unique, devices.sounds);
  claim_places(unique, devices.videos);
  claim_places(unique, devices.watchdogs);
  claim_places(unique, devices.balloons);
  claim_places(unique, devices.rngs);
  claim_places(unique, devices.iommus);
}

/// Of all cells; as much as can be told where it is more than that.
std::uint64_t numa_kib(const Description& machine) {
  std::uint64_t sum = 0;
  if (!machine.cpu) return sum;
  for (const NumaCell& cell : machine.cpu->numa) {
    const std::uint64_t more = cell.memory_kib.value_or(0);
    sum = sum + more < sum ? std::numeric_limits<std::uint64_t>::max() : sum + more;
  }
  return sum;
}

}  // namespace

ByteCount memory(const Description& machine) {
  return ByteCount(machine.memory_kib.value_or(0) << 10);
}

Mistakes inconsistencies(const Description& machine) {
  Mistakes mistakes;
  const auto need = [&](const char* what, bool there) {
    if (!there) mistakes.push_back({what, "is missing"});
  };
  need("name", !machine.name.empty());
  need("id", !machine.id.value.is_nil());
  need("architecture", !machine.architecture.empty());
  need("machine type", !machine.machine_type.empty());
  need("memory", machine.memory_kib.value_or(0) > 0);
  need("vcpus", machine.vcpus.has_value());
  if (machine.current_memory_kib.value_or(0) > machine.memory_kib.value_or(0)) {
    mistakes.push_back({"current memory", "is more than the memory"});
  }
  if (machine.current_vcpus.value_or(1) > machine.vcpus.value_or(1)) {
    mistakes.push_back({"current vcpus", "are more than the vcpus"});
  }
  if (numa_kib(machine) > machine.memory_kib.value_or(0)) {
    // libvirt would give the machine what the cells say.
    mistakes.push_back({"numa cells", "have more memory than the machine"});
  }
  check_devices(machine.devices, mistakes);
  return mistakes;
}

std::string cpu_xml(const Description& machine) {
  Cpu cpu = machine.cpu.value_or(Cpu{});
  cpu.numa.clear();
  if (cpu.mode.empty()) cpu.mode = "custom";
  if (cpu.mode == "custom" && cpu.model.empty()) cpu.model = "qemu64";
  if (cpu.mode == "custom" && cpu.match.empty()) cpu.match = "exact";
  return write_cpu(cpu);
}

std::string write_cpu(const Cpu& cpu) {
  pugi::xml_document document;
  pugi::xml_node node = document.append_child("cpu");
  XmlWriter writer(node);
  auto copy = cpu;
  fields(writer, copy);
  std::ostringstream text;
  document.save(text, "", pugi::format_raw | pugi::format_no_declaration);
  return text.str();
}

Result<Cpu> read_cpu(std::string_view xml) {
  constexpr std::size_t longest = 256 << 10;
  if (xml.size() > longest) return mistake("", "is longer than 256 KiB");
  pugi::xml_document document;
  const auto parsed = document.load_buffer(xml.data(), xml.size());
  const pugi::xml_node node = document.child("cpu");
  if (!parsed || !node) return mistake("", "is not a <cpu> element");
  Used used;
  Mistakes mistakes;
  XmlReader reader(node, used, mistakes);
  Cpu cpu;
  fields(reader, cpu);
  if (!mistakes.empty()) return tl::unexpected(std::move(mistakes));
  return cpu;
}

}  // namespace satchel::machine
