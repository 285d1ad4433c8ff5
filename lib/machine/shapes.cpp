#include "machine/shapes.hpp"

#include <algorithm>

namespace satchel::machine {

namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool Shape::fits(std::string_view text) const {
  if (words.size() != 0) return std::find(words.begin(), words.end(), text) != words.end();
  return !text.empty() && text.size() <= longest &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return is_alphanumeric(c) || extra.find(c) != std::string_view::npos;
         });
}

std::string Shape::expects() const {
  if (words.size() == 0) {
    return "1 to " + std::to_string(longest) + " letters, digits" +
           (extra.empty() ? std::string() : " or any of \"" + std::string(extra) + "\"");
  }
  std::string list;
  for (std::string_view word : words) list.append(list.empty() ? "" : ", ").append(word);
  return "one of " + list;
}

namespace shape {

// Free text: no quotes, no '<', '&' or ',' ever reaches XML or QEMU's command line from a device.
const Shape name{{}, " _.+:@()-", 100};
const Shape architecture{{"x86_64", "i686"}, {}, 0};
const Shape machine_type{{}, "_.-", 60};
const Shape identifier{{}, "_.-", 60};
const Shape uuid{{}, "-", 36};
const Shape serial{{}, " _.+-", 36};
const Shape vendor{{}, " _.+-", 16};
const Shape adjustment{{}, "-", 20};
const Shape timezone{{}, "/_+-", 60};
const Shape cpu_list{{}, ",-^", 200};
const Shape mac{{}, ":", 17};
const Shape network{{}, " _.+-", 60};
const Shape channel{{}, "_.-", 100};
const Shape alias{{}, "_-", 60};
const Shape target{{}, {}, 12};
const Shape address_port{{}, ".", 15};
const Shape printable{{}, " _.+:;/@()#*=[]-", 250};
const Shape file_name{{}, "_.+-", 100};

const Shape accelerator{{"kvm", "tcg"}, {}, 0};
const Shape address{{"pci", "drive", "virtio-serial", "usb", "isa"}, {}, 0};
const Shape bus{{"virtio", "scsi", "sata", "ide", "usb", "fdc"}, {}, 0};
const Shape controller{{"pci", "ide", "fdc", "scsi", "sata", "usb", "virtio-serial", "isa"}, {}, 0};
const Shape controller_model{{"auto",
                              "buslogic",
                              "lsilogic",
                              "lsisas1068",
                              "lsisas1078",
                              "virtio-scsi",
                              "virtio-transitional",
                              "virtio-non-transitional",
                              "ncr53c90",
                              "dc390",
                              "am53c974",
                              "vmpvscsi",
                              "piix3-uhci",
                              "piix4-uhci",
                              "ehci",
                              "ich9-ehci1",
                              "ich9-uhci1",
                              "ich9-uhci2",
                              "ich9-uhci3",
                              "vt82c686b-uhci",
                              "pci-ohci",
                              "nec-xhci",
                              "qemu-xhci",
                              "none",
                              "piix3",
                              "piix4",
                              "ich6",
                              "pci-root",
                              "pcie-root",
                              "pci-bridge",
                              "dmi-to-pci-bridge",
                              "pcie-to-pci-bridge",
                              "pcie-root-port",
                              "pcie-switch-upstream-port",
                              "pcie-switch-downstream-port",
                              "pci-expander-bus",
                              "pcie-expander-bus",
                              "virtio"},
                             {},
                             0};
const Shape pci_model{{"pci-bridge", "i82801b11-bridge", "pcie-pci-bridge", "ioh3420",
                       "pcie-root-port", "x3130-upstream", "xio3130-downstream", "pxb", "pxb-pcie"},
                      {},
                      0};
const Shape disk_device{{"disk", "cdrom", "floppy"}, {}, 0};
const Shape disk_model{{"virtio", "virtio-transitional", "virtio-non-transitional"}, {}, 0};
const Shape translation{{"auto", "none", "lba"}, {}, 0};
const Shape detect_zeroes{{"off", "on", "unmap"}, {}, 0};
const Shape nic_model{
    {"virtio", "virtio-transitional", "virtio-non-transitional", "e1000", "e1000-82544gc",
     "e1000-82545em", "e1000e", "igb", "rtl8139", "pcnet", "ne2k_pci", "ne2k_isa", "i82551",
     "i82557b", "i82559er", "vmxnet3", "usb-net", "tulip"},
    {},
    0};
const Shape nic_backend{{"tap", "user"}, {}, 0};
const Shape port_target{{"isa-serial", "pci-serial", "usb-serial", "isa-debug", "virtio"}, {}, 0};
const Shape port_model{{"isa-serial", "pci-serial", "usb-serial", "isa-debugcon"}, {}, 0};
const Shape input_type{{"tablet", "mouse", "keyboard"}, {}, 0};
const Shape input_bus{{"ps2", "usb", "virtio"}, {}, 0};
const Shape virtio_model{{"virtio", "virtio-transitional", "virtio-non-transitional"}, {}, 0};
const Shape graphics{{"vnc", "spice"}, {}, 0};
const Shape video{{"vga", "cirrus", "vmvga", "qxl", "virtio", "bochs", "ramfb", "none"}, {}, 0};
const Shape sound{{"sb16", "es1370", "pcspk", "ac97", "ich6", "ich7", "ich9", "usb"}, {}, 0};
const Shape codec{{"duplex", "micro", "output"}, {}, 0};
const Shape balloon{{"virtio", "virtio-transitional", "virtio-non-transitional", "none"}, {}, 0};
const Shape watchdog{{"i6300esb", "ib700", "itco"}, {}, 0};
const Shape watchdog_action{
    {"reset", "shutdown", "poweroff", "pause", "none", "inject-nmi"}, {}, 0};
const Shape tpm{{"tpm-tis", "tpm-crb"}, {}, 0};
const Shape tpm_version{{"1.2", "2.0"}, {}, 0};
const Shape panic{{"isa", "hyperv"}, {}, 0};
const Shape iommu{{"intel", "virtio"}, {}, 0};
const Shape firmware{{"bios", "efi"}, {}, 0};
const Shape boot_device{{"hd", "cdrom", "network", "fd"}, {}, 0};
const Shape smbios{{"emulate", "sysinfo"}, {}, 0};
const Shape smbios_table{{"bios", "system", "baseBoard", "chassis", "oemStrings"}, {}, 0};
const Shape enlightenment{
    {"relaxed", "vapic", "spinlocks", "vpindex", "runtime", "synic", "stimer", "reset", "vendor_id",
     "frequencies", "reenlightenment", "tlbflush", "ipi", "evmcs", "avic"},
    {},
    0};
const Shape ioapic{{"kvm", "qemu"}, {}, 0};
const Shape msrs{{"ignore", "fault"}, {}, 0};
const Shape cpu_mode{{"custom", "host-model", "host-passthrough", "maximum"}, {}, 0};
const Shape cpu_match{{"exact", "minimum", "strict"}, {}, 0};
const Shape cpu_check{{"none", "partial", "full"}, {}, 0};
const Shape cpu_fallback{{"allow", "forbid"}, {}, 0};
const Shape cpu_policy{{"force", "require", "optional", "disable", "forbid"}, {}, 0};
const Shape cpu_cache{{"emulate", "passthrough", "disable"}, {}, 0};
const Shape cpu_bits{{"emulate", "passthrough"}, {}, 0};
const Shape clock_offset{{"utc", "localtime", "timezone", "variable", "absolute"}, {}, 0};
const Shape clock_basis{{"utc", "localtime"}, {}, 0};
const Shape timer{{"platform", "rtc", "pit", "hpet", "tsc", "kvmclock", "hypervclock"}, {}, 0};
const Shape tick_policy{{"delay", "catchup", "merge", "discard"}, {}, 0};
const Shape timer_track{{"boot", "guest", "wall", "realtime"}, {}, 0};
const Shape timer_mode{{"auto", "native", "emulate", "paravirt", "smpsafe"}, {}, 0};
const Shape on_end{{"destroy", "restart", "preserve", "rename-restart"}, {}, 0};

}  // namespace shape

}  // namespace satchel::machine
