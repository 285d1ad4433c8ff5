// What a single value may look like: allow-lists of libvirt's words, sets of characters, ranges.
// Internal to lib/machine; used by everything that reads a description. Values only; any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace satchel::machine {

/// A text is right when it is one of the words or, where there are none, when it is of 1 to
/// `longest` ASCII letters, digits and characters of `extra`.
struct Shape {
  std::initializer_list<std::string_view> words;
  std::string_view extra;
  std::size_t longest;

  bool fits(std::string_view text) const;
  /// For a sentence: "one of a, b, c" or "up to 40 letters, digits or any of _.-".
  std::string expects() const;
};

struct Range {
  std::uint64_t least, most;
};

enum class Base { decimal, hex };
enum class Spelling { on_off, yes_no, up_down };

namespace shape {

extern const Shape name, architecture, machine_type, identifier, uuid, serial, vendor, adjustment,
    timezone, cpu_list, mac, network, channel, alias, target, address_port, printable, file_name;
extern const Shape accelerator, address, bus, controller, controller_model, pci_model, disk_device,
    disk_model, translation, detect_zeroes, nic_model, nic_backend, port_target, port_model,
    input_type, input_bus, virtio_model, graphics, video, sound, codec, balloon, watchdog,
    watchdog_action, tpm, tpm_version, panic, iommu, firmware, boot_device, smbios, smbios_table,
    enlightenment, ioapic, msrs, cpu_mode, cpu_match, cpu_check, cpu_fallback, cpu_policy,
    cpu_cache, cpu_bits, clock_offset, clock_basis, timer, tick_policy, timer_track, timer_mode,
    on_end;

}  // namespace shape

namespace range {

inline constexpr Range byte{0, 0xff}, word{0, 0xffff}, dword{0, 0xffffffff}, count{0, 1 << 20},
    kib{0, std::uint64_t{1} << 42}, any{0, UINT64_MAX}, pci_slot{0, 0x1f}, pci_function{0, 7},
    vcpus{1, 4096};

}  // namespace range

}  // namespace satchel::machine
