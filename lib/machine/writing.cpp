#include "machine/writing.hpp"

#include <algorithm>
#include <pugixml.hpp>
#include <sstream>

#include "base/fault.hpp"
#include "machine/schema.hpp"
#include "machine/sorting.hpp"
#include "machine/xml_visitors.hpp"
#include "ports/hypervisor.hpp"

namespace satchel::machine {

namespace {

pugi::xml_node child(pugi::xml_node parent, const char* name) {
  const pugi::xml_node found = parent.child(name);
  return found ? found : parent.append_child(name);
}

void set(pugi::xml_node node, const char* name, const std::string& value) {
  pugi::xml_attribute attribute = node.attribute(name);
  if (!attribute) attribute = node.append_attribute(name);
  attribute.set_value(value.c_str());
}

[[noreturn]] void impossible(const Description& machine, std::string why) {
  throw Fault(Remedy::report_bug, {"describe", machine.name, std::move(why), ""});
}

void write_source(pugi::xml_node parent, const SessionDisk::File& file) {
  pugi::xml_node source = parent.append_child("source");
  set(source, "file", file.shown_path);
  if (!file.fd_group.empty()) set(source, "fdgroup", file.fd_group);
}

/// The chain is spelled out to its end, an empty backingStore, so that nothing is ever probed and
/// no header decides what QEMU opens.
void write_chain(pugi::xml_node parent, const SessionDisk& disk) {
  write_source(parent, disk.chain.front());
  for (std::size_t i = 1; i < disk.chain.size(); ++i) {
    parent = parent.append_child("backingStore");
    set(parent, "type", "file");
    set(parent.append_child("format"), "type", disk.chain[i].format);
    write_source(parent, disk.chain[i]);
  }
  parent.append_child("backingStore");
}

/// What the guest writes is cached by the host and made durable when the guest flushes. The page
/// cache also serves repeated reads of the chain below, which may be on a slow stick, and it works
/// on filesystems without O_DIRECT.
void write_disk(pugi::xml_node xml, const Disk& disk, const SessionDisk* session) {
  set(xml, "type", "file");
  xml.remove_child("write_through");
  pugi::xml_node driver = child(xml, "driver");
  set(driver, "name", "qemu");
  if (session == nullptr) {  // a drive without a medium
    set(driver, "type", "raw");
    return;
  }
  set(driver, "type", session->chain.front().format);
  set(driver, "cache", disk.write_through ? "writethrough" : "writeback");
  set(driver, "error_policy", "stop");
  set(driver, "rerror_policy", "stop");
  if (disk.device == "disk") set(driver, "discard", "unmap");
  write_chain(xml, *session);
}

void write_disks(pugi::xml_node devices, const Description& machine, const SessionPlan& plan) {
  auto xml = devices.children("disk").begin();
  for (const Disk& disk : machine.devices.disks) {
    const auto session =
        std::find_if(plan.disks.begin(), plan.disks.end(),
                     [&](const SessionDisk& candidate) { return candidate.target == disk.target; });
    const bool has_files = session != plan.disks.end() && !session->chain.empty();
    if (disk.device == "disk" && !has_files) impossible(machine, "no files for " + disk.target);
    write_disk(*xml++, disk, has_files ? &*session : nullptr);
  }
}

/// What QEMU's stream asks of the next connection (seen with QEMU 7.2): user networking is a
/// section of its own ('slirp') that must be there again, and a virtio interface that had a tap's
/// vnet headers resumes only with them.
std::string connection(const Interface& nic, const std::string& network, Start start) {
  if (start == Start::resume && nic.backend == "user") return "user";
  if (!network.empty()) return "network";
  const bool needs_tap =
      start == Start::resume && nic.backend == "tap" && nic.model.starts_with("virtio");
  return needs_tap ? "ethernet" : "user";
}

/// The network here that a card is for; empty: there is none now.
const std::string& network_for(const Interface& nic, const HostPolicy& policy) {
  const auto mapped = policy.networks.find(nic.network);
  return mapped == policy.networks.end() ? policy.default_network : mapped->second;
}

bool is_unplugged(const std::string& type, const HostPolicy& policy) {
  return type == "ethernet" ||  // a tap that nothing is plugged into
         (type == "user" && policy.otherwise == NetworkFallback::link_down);
}

void write_interface(pugi::xml_node xml, const Interface& nic, const HostPolicy& policy,
                     Start start) {
  xml.remove_child("source");
  const std::string& network = network_for(nic, policy);
  const std::string type = connection(nic, network, start);
  set(xml, "type", type);
  if (type == "network") set(child(xml, "source"), "network", network);
  if (type == "user") {  // libvirt has neither there, and then the guest has neither
    xml.remove_child("mtu");
    xml.child("driver").remove_attribute("queues");
  }
  if (is_unplugged(type, policy)) set(child(xml, "link"), "state", "down");
}

void write_ports(pugi::xml_node devices, const Description& machine, const SessionPlan& plan,
                 bool spice) {
  const bool terminals = plan.console == Console::terminal;
  bool logged = terminals || plan.serial_log_path.empty();
  for (pugi::xml_node serial : devices.children("serial")) {
    set(serial, "type", terminals ? "pty" : logged ? "null" : "file");
    if (!logged) {
      pugi::xml_node source = serial.append_child("source");
      set(source, "path", plan.serial_log_path);
      set(source, "append", "on");  // or libvirt empties it at every restore
    }
    logged = true;
  }
  for (pugi::xml_node parallel : devices.children("parallel")) set(parallel, "type", "null");
  for (pugi::xml_node console : devices.children("console")) set(console, "type", "pty");
  auto xml = devices.children("channel").begin();
  for (const Port& channel : machine.devices.channels) {
    const bool agent = channel.name == "org.qemu.guest_agent.0";
    const bool display = channel.name == "com.redhat.spice.0" && spice;
    set(*xml++, "type", agent ? "unix" : display ? "spicevmc" : "null");
  }
}

void write_graphics(pugi::xml_node devices, const HostPolicy& policy, bool spice) {
  const bool any = bool(devices.child("graphics"));
  while (devices.remove_child("graphics")) {
  }
  if (!any) return;
  for (const char* type : {"vnc", "spice"}) {
    if (std::string_view(type) == "spice" && !spice) continue;
    pugi::xml_node graphics = devices.append_child("graphics");
    set(graphics, "type", type);
    pugi::xml_node listen = graphics.append_child("listen");
    if (!policy.listen_address) {
      set(listen, "type", "socket");
      continue;
    }
    set(graphics, "port", "-1");
    set(graphics, "autoport", "yes");
    set(listen, "type", "address");
    set(listen, "address", *policy.listen_address);
  }
}

void write_others(pugi::xml_node devices) {
  if (devices.child("sound")) {
    pugi::xml_node audio = devices.append_child("audio");
    set(audio, "id", "1");
    set(audio, "type", "none");
  }
  for (pugi::xml_node rng : devices.children("rng")) {
    pugi::xml_node backend = rng.append_child("backend");
    set(backend, "model", "random");
    backend.text().set("/dev/urandom");
  }
  for (pugi::xml_node tpm : devices.children("tpm")) {
    set(child(tpm, "backend"), "type", "emulator");
  }
  for (pugi::xml_node hub : devices.children("hub")) set(hub, "type", "usb");
  for (pugi::xml_node port : devices.children("redirdev")) {
    set(port, "bus", "usb");
    set(port, "type", "null");
  }
}

void write_os(pugi::xml_node domain, const Description& machine, const HostPolicy& policy,
              const SessionPlan& plan) {
  pugi::xml_node os = child(domain, "os");
  os.child("type").text().set("hvm");
  os.remove_attribute("firmware");
  os.remove_child("loader");
  if (machine.boot.firmware.kind != "efi") return;
  const FirmwareFiles* files = firmware_for(machine, policy.firmware);
  if (files == nullptr || plan.nvram_path.empty()) impossible(machine, "no firmware for it");
  pugi::xml_node loader = os.append_child("loader");
  set(loader, "readonly", "yes");
  if (machine.boot.firmware.secure_boot == Switch::on) set(loader, "secure", "yes");
  set(loader, "type", "pflash");
  loader.text().set(files->loader.c_str());
  pugi::xml_node nvram = os.append_child("nvram");
  set(nvram, "template", files->nvram_template);
  nvram.text().set(plan.nvram_path.c_str());
}

/// Whether a file of the disk's chain is a descriptor. The topmost need not be: a checkpoint's
/// overlay came while the guest ran, by its path.
bool has_lent(const pugi::xml_node& disk) {
  return bool(disk.find_node([](const pugi::xml_node& node) {
    return std::string_view(node.name()) == "source" && bool(node.attribute("fdgroup"));
  }));
}

}  // namespace

bool comes_unplugged(const Interface& nic, const HostPolicy& policy, Start start) {
  return is_unplugged(connection(nic, network_for(nic, policy), start), policy);
}

std::string write_domain(const Description& machine, const HostPolicy& policy,
                         const SessionPlan& plan) {
  Description guest = machine;
  guest.name = plan.domain_name;
  guest.accelerator = policy.accelerator;
  pugi::xml_document document;
  pugi::xml_node domain = document.append_child("domain");
  XmlWriter writer(domain);
  fields(writer, guest);
  unfold(domain);

  write_os(domain, machine, policy, plan);
  pugi::xml_node devices = child(domain, "devices");
  devices.prepend_child("emulator").text().set(policy.emulator.c_str());
  const bool spice = policy.spice == Spice::offered &&
                     std::any_of(machine.devices.graphics.begin(), machine.devices.graphics.end(),
                                 [](const Graphics& graphics) { return graphics.type == "spice"; });
  write_disks(devices, machine, plan);
  auto xml = devices.children("interface").begin();
  for (const Interface& nic : machine.devices.interfaces) {
    write_interface(*xml++, nic, policy, plan.start);
  }
  write_ports(devices, machine, plan, spice);
  write_graphics(devices, policy, spice);
  write_others(devices);
  std::ostringstream text;
  document.save(text, "  ", pugi::format_indent | pugi::format_no_declaration);
  return text.str();
}

std::string with_chains(const std::string& domain_xml, const std::vector<SessionDisk>& disks) {
  pugi::xml_document document;
  if (!document.load_string(domain_xml.c_str()))
    throw Fault(Remedy::report_bug,
                Fault::Text{"read", "the description of a saved machine", "it is not XML", {}});
  for (auto xml : document.child("domain").child("devices").children("disk")) {
    const std::string target = xml.child("target").attribute("dev").value();
    const auto disk = std::find_if(disks.begin(), disks.end(),
                                   [&](const auto& each) { return each.target == target; });
    if (disk == disks.end() || !has_lent(xml)) continue;
    while (xml.remove_child("backingStore")) {
    }
    xml.remove_child("source");
    write_chain(xml, *disk);
  }
  std::ostringstream out;
  document.save(out, "  ", pugi::format_default | pugi::format_no_declaration);
  return out.str();
}

}  // namespace satchel::machine
