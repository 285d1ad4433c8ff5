#include "libvirt/xml.hpp"

#include <algorithm>
#include <pugixml.hpp>
#include <sstream>

namespace satchel {

namespace {

void add_machine_types(const pugi::xml_node& parent, std::vector<std::string>& types) {
  for (const auto& machine : parent.children("machine"))
    for (std::string name : {machine.attribute("canonical").value(), machine.text().get()})
      if (!name.empty() && std::find(types.begin(), types.end(), name) == types.end())
        types.push_back(name);
}

pugi::xml_node disk_of(const pugi::xml_document& domain, const std::string& target) {
  for (const auto& disk : domain.child("domain").child("devices").children("disk"))
    if (target == disk.child("target").attribute("dev").value()) return disk;
  return {};
}

}  // namespace

std::string virt_type(Accelerator accelerator) {
  return accelerator == Accelerator::kvm ? "kvm" : "qemu";
}

Result<HostAbility> read_capabilities(const std::string& xml, Accelerator accelerator) {
  pugi::xml_document document;
  if (auto parsed = document.load_string(xml.c_str()); !parsed)
    return mistake("capabilities", parsed.description());
  const auto host_cpu = document.child("capabilities").child("host").child("cpu");
  HostAbility ability;
  ability.architecture = host_cpu.child("arch").text().get();
  ability.host_cpu = host_cpu.child("model").text().get();
  const auto type = virt_type(accelerator);
  for (const auto& guest : document.child("capabilities").children("guest")) {
    const auto arch = guest.child("arch");
    if (std::string("hvm") != guest.child("os_type").text().get()) continue;
    if (ability.architecture != arch.attribute("name").value()) continue;
    const auto domain = arch.find_child_by_attribute("domain", "type", type.c_str());
    if (!domain) continue;
    ability.emulator = arch.child("emulator").text().get();
    if (const auto own = domain.child("emulator")) ability.emulator = own.text().get();
    add_machine_types(domain, ability.machine_types);
    if (ability.machine_types.empty()) add_machine_types(arch, ability.machine_types);
    return ability;
  }
  return mistake("capabilities", "no " + ability.architecture + " guests of type '" + type + "'");
}

Result<std::string> read_host_model(const std::string& xml) {
  pugi::xml_document capabilities;
  if (auto parsed = capabilities.load_string(xml.c_str()); !parsed)
    return mistake("domain capabilities", parsed.description());
  const auto model = capabilities.child("domainCapabilities")
                         .child("cpu")
                         .find_child_by_attribute("mode", "name", "host-model");
  if (!model.child("model")) return mistake("domain capabilities", "there is no host-model CPU");
  pugi::xml_document out;
  auto cpu = out.append_child("cpu");
  cpu.append_attribute("mode") = "custom";
  cpu.append_attribute("match") = "exact";
  for (const char* name : {"model", "vendor", "feature"})
    for (const auto& part : model.children(name)) cpu.append_copy(part);
  std::ostringstream text;
  out.save(text, "", pugi::format_raw | pugi::format_no_declaration);
  return text.str();
}

std::optional<DomainId> uuid_in(const std::string& domain_xml) {
  pugi::xml_document document;
  if (!document.load_string(domain_xml.c_str())) return std::nullopt;
  const auto uuid = Uuid::parse(document.child("domain").child("uuid").text().get());
  if (!uuid) return std::nullopt;
  return DomainId(*uuid);
}

Result<std::string> snapshot_xml(const std::string& domain_xml, const SnapshotParts& parts) {
  const auto& overlays = parts.overlays;
  pugi::xml_document domain;
  if (auto parsed = domain.load_string(domain_xml.c_str()); !parsed)
    return mistake("domain", parsed.description());
  pugi::xml_document snapshot;
  auto top = snapshot.append_child("domainsnapshot");
  if (!parts.memory.empty()) {
    auto memory = top.append_child("memory");
    memory.append_attribute("snapshot") = "external";
    memory.append_attribute("file") = parts.memory.c_str();
  }
  auto disks = top.append_child("disks");
  std::size_t used = 0;
  for (const auto& device : domain.child("domain").child("devices").children("disk")) {
    const std::string target = device.child("target").attribute("dev").value();
    const auto overlay = std::find_if(overlays.begin(), overlays.end(),
                                      [&](const auto& o) { return o.target == target; });
    auto disk = disks.append_child("disk");
    disk.append_attribute("name") = target.c_str();
    disk.append_attribute("snapshot") = overlay == overlays.end() ? "no" : "external";
    if (overlay == overlays.end()) continue;
    ++used;
    disk.append_attribute("type") = "file";
    disk.append_child("driver").append_attribute("type") = "qcow2";
    disk.append_child("source").append_attribute("file") = overlay->path.c_str();
  }
  if (used != overlays.size()) return mistake("overlays", "a named disk is not there, or twice");
  std::ostringstream out;
  snapshot.save(out, " ", pugi::format_default | pugi::format_no_declaration);
  return out.str();
}

Mirror mirror_of(const std::string& domain_xml, const std::string& target) {
  pugi::xml_document domain;
  if (!domain.load_string(domain_xml.c_str())) return Mirror::none;
  const auto mirror = disk_of(domain, target).child("mirror");
  if (!mirror) return Mirror::none;
  const std::string ready = mirror.attribute("ready").value();
  if (ready.empty()) return Mirror::copying;
  return ready == "abort" ? Mirror::failed : Mirror::ready;
}

std::optional<std::string> file_below(const std::string& domain_xml, const std::string& target) {
  pugi::xml_document domain;
  if (!domain.load_string(domain_xml.c_str())) return std::nullopt;
  const auto index = disk_of(domain, target).child("backingStore").attribute("index");
  if (!index) return std::nullopt;
  return target + "[" + index.value() + "]";
}

std::vector<std::string> disk_targets(const std::string& domain_xml) {
  std::vector<std::string> targets;
  pugi::xml_document domain;
  if (!domain.load_string(domain_xml.c_str())) return targets;
  for (const auto& disk : domain.child("domain").child("devices").children("disk"))
    targets.push_back(disk.child("target").attribute("dev").value());
  return targets;
}

std::vector<std::string> files_below(const std::string& domain_xml, const std::string& target,
                                     const std::filesystem::path& directory) {
  pugi::xml_document domain;
  std::vector<std::string> files;
  if (!domain.load_string(domain_xml.c_str())) return files;
  for (auto level = disk_of(domain, target).child("backingStore"); level;
       level = level.child("backingStore")) {
    const auto source = level.child("source");
    const std::filesystem::path file = source.attribute("file").value();
    if (source.attribute("fdgroup") || file.parent_path() != directory) break;
    files.push_back(file.string());
  }
  return files;
}

Result<CommitNames> commit_names(const std::string& domain_xml, const LayerCommit& commit) {
  pugi::xml_document domain;
  if (auto parsed = domain.load_string(domain_xml.c_str()); !parsed)
    return mistake("domain", parsed.description());
  const auto disk = disk_of(domain, commit.target);
  if (!disk) return mistake("disk " + commit.target, "there is no such disk");
  CommitNames names;
  for (auto level = disk.child("backingStore"); level; level = level.child("backingStore")) {
    const std::string file = level.child("source").attribute("file").value();
    const auto name = commit.target + "[" + level.attribute("index").value() + "]";
    if (file == commit.top && names.top.empty())
      names.top = name;
    else if (file == commit.base && !names.top.empty() && names.base.empty())
      names.base = name;
  }
  if (names.top.empty())
    return mistake("disk " + commit.target, commit.top + " is not below its topmost file");
  if (names.base.empty())
    return mistake("disk " + commit.target, commit.base + " is not below " + commit.top);
  return names;
}

std::string probe_name(Accelerator accelerator) {
  return "satchel-probe-" + virt_type(accelerator);
}

std::string probe_xml(DomainId id, Accelerator accelerator) {
  const auto uuid = id.value.str();
  // As real guests use it: there are hosts on which a plain CPU runs and the host's own kills QEMU.
  const std::string cpu = accelerator == Accelerator::kvm ? "<cpu mode='host-passthrough'/>" : "";
  return "<domain type='" + virt_type(accelerator) + "'><name>" + probe_name(accelerator) +
         "</name><uuid>" + uuid +
         "</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
         "<os><type arch='x86_64' machine='pc'>hvm</type>"
         "<bootmenu enable='no'/><bios rebootTimeout='0'/></os>" +
         cpu +
         "<on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot>"
         "<on_crash>destroy</on_crash>"
         "<devices><controller type='usb' model='none'/><memballoon model='none'/>"
         "</devices></domain>";
}

}  // namespace satchel
