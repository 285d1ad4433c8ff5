#include <algorithm>
#include <string_view>

#include "runtime/jobs/export.hpp"
#include "runtime/jobs/export_names.hpp"

namespace satchel {

namespace {

/// A word of a shell command.
std::string quoted(const std::string& word) {
  constexpr std::string_view plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+:@,=";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

struct Text {
  const ExportOrder& order;
  const ExportSource& source;
  const machine::SessionPlan& plan;

  std::string path(const std::string& name) const { return quoted(order.to->shown(name)); }

  std::string head() const {
    return "This is the virtual machine " + source.machine.name + " (" + source.state +
           "), exported by Satchel.\n\n";
  }

  std::string contents() const {
    std::string out = "  domain.xml   the machine, for libvirt\n";
    for (const auto& disk : source.disks) {
      const auto what = "disk " + disk.target;
      out += order.layout == DiskLayout::flat
                 ? "  " + disk.target + ".qcow2    its " + what + "\n"
                 : "  " + disk.target + "/         its " + what + ": " + disk.chain.back().name +
                       " and what is below it\n";
    }
    if (source.nvram) out += "  nvram.fd     the variables of its EFI firmware\n";
    if (source.memory) out += "  guest.save   its memory, as virsh save writes it\n";
    return out;
  }

  std::string going_on() const {
    if (!source.memory) return {};
    return "\nLet it go on where it was, once:\n\n"
           "  virsh define " +
           path(exported::domain_xml) + "\n  virsh restore " + path(exported::save_image) +
           "\n\nThen remove guest.save: its memory is older than the disks from there on, and\n"
           "restoring it again would damage what is on them.\n";
  }

  std::string starting() const {
    std::string out = source.memory
                          ? "\nOr start it from its disks, which are as after a power cut "
                            "(guest.save is of no\nuse after that):\n"
                          : "\nStart it from its disks:\n";
    out += "\n  virsh define " + path(exported::domain_xml) + "\n  virsh start " +
           quoted(source.machine.name) + "\n";
    return out;
  }

  std::string without_libvirt() const {
    const auto& machine = source.machine;
    std::string out = "\nWithout libvirt, from its disks:\n\n  qemu-system-" +
                      machine.architecture + " -machine " + machine.machine_type + " -m " +
                      std::to_string(memory(machine).value >> 20) + " -smp " +
                      std::to_string(machine.vcpus.value_or(1));
    if (source.nvram)
      out +=
          " \\\n    -drive if=pflash,format=raw,readonly=on,file=FIRMWARE \\\n"
          "    -drive if=pflash,format=raw,file=" +
          path(exported::nvram);
    for (const auto& disk : plan.disks) {
      const auto described =
          std::find_if(machine.devices.disks.begin(), machine.devices.disks.end(),
                       [&](const auto& each) { return each.target == disk.target; });
      const bool is_virtio = described != machine.devices.disks.end() && described->bus == "virtio";
      out += std::string(" \\\n    -drive if=") + (is_virtio ? "virtio" : "ide") +
             ",format=qcow2,file=" + quoted(disk.chain.front().shown_path);
    }
    return out + "\n";
  }

  std::string moving() const {
    const auto here = order.to->shown();
    std::string out = "\nThe paths in domain.xml are those of\n\n  " + here +
                      "\n\nPut elsewhere, say /new/place, they have to follow" +
                      (source.memory ? ", and a restore has to be told:\n\n" : ":\n\n");
    out += "  sed -i 's|" + here + "|/new/place|g' domain.xml\n";
    if (source.memory) out += "  virsh restore guest.save --xml domain.xml\n";
    if (order.layout == DiskLayout::chain)
      out += "\nEach disk file names the one below it by its plain name: keep them together.\n";
    return out +
           "\nUnder qemu:///system QEMU runs as a user of its own, who has to reach the "
           "directory:\n"
           "/var/lib/libvirt/images is such a place.\n";
  }

  std::string identity() const {
    return "\nThe machine keeps its identity, UUID " + source.machine.id.value.str() +
           ". Where libvirt has it\nalready, 'virsh define' replaces that definition; let only one "
           "of the two run.\n"
           "\n'satchelctl import " +
           quoted(order.to->shown()) + "' makes a capsule of it again.\n";
  }
};

}  // namespace

std::string readme_of(const ExportOrder& order, const ExportSource& source,
                      const machine::SessionPlan& plan) {
  const Text text{order, source, plan};
  return text.head() + text.contents() + text.going_on() + text.starting() +
         text.without_libvirt() + text.moving() + text.identity();
}

}  // namespace satchel
