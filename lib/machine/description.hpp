// A machine as it travels: the typed model of a libvirt domain, nothing in it that names a host.
// Made from domain XML when a machine is packed (read_domain), kept in every head as JSON, turned
// into domain XML for one session on one host (write_domain). Values only; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "machine/devices.hpp"

namespace satchel {
enum class Accelerator;  // ports/hypervisor.hpp
}

namespace satchel::machine {

struct Firmware {
  Word kind;  ///< bios, efi
  Switch secure_boot = Switch::unset;
  /// Base name and size of the flash image: a restored guest needs one of the very same size.
  std::string loader_name;
  Number loader_size;  ///< bytes; unset until the packer has looked
  bool operator==(const Firmware&) const = default;
};

struct BootDevice {
  Word device;  ///< hd, cdrom, network, fd
  bool operator==(const BootDevice&) const = default;
};

struct SmbiosEntry {
  Word table;  ///< bios, system, baseBoard, chassis, oemStrings
  Word name;   ///< "manufacturer"; empty in oemStrings
  std::string value;
  bool operator==(const SmbiosEntry&) const = default;
};

struct Boot {
  Firmware firmware;
  std::vector<BootDevice> order;
  Switch menu = Switch::unset;
  Number menu_timeout;
  Word smbios;  ///< emulate, sysinfo
  Switch bios_use_serial = Switch::unset;
  std::vector<SmbiosEntry> smbios_entries;
  bool operator==(const Boot&) const = default;
};

/// One Hyper-V enlightenment.
struct Enlightenment {
  Word name;
  Switch state = Switch::unset;
  Number retries;                 ///< of spinlocks
  std::string vendor;             ///< of vendor_id
  Switch direct = Switch::unset;  ///< of stimer
  bool operator==(const Enlightenment&) const = default;
};

struct Features {
  bool acpi = false, apic = false, pae = false, privnet = false;
  Switch apic_eoi = Switch::unset, hap = Switch::unset, pmu = Switch::unset, vmport = Switch::unset,
         smm = Switch::unset, pvspinlock = Switch::unset, vmcoreinfo = Switch::unset,
         kvm_hidden = Switch::unset, kvm_hint_dedicated = Switch::unset,
         kvm_poll_control = Switch::unset, kvm_pv_ipi = Switch::unset;
  Number smm_tseg_kib;
  Word ioapic;
  Word unknown_msrs;
  std::vector<Enlightenment> hyperv;
  bool operator==(const Features&) const = default;
};

struct CpuFeature {
  std::string name;
  Word policy;
  bool operator==(const CpuFeature&) const = default;
};

struct NumaDistance {
  Number to, value;
  bool operator==(const NumaDistance&) const = default;
};

struct NumaCell {
  Number id;
  std::string cpus;
  Number memory_kib;
  std::vector<NumaDistance> distances;
  bool operator==(const NumaCell&) const = default;
};

struct Cpu {
  Word mode, match, check;
  Switch migratable = Switch::unset;
  std::string model, vendor, vendor_id;
  Word fallback;
  Number sockets, dies, cores, threads;
  Word cache_mode;
  Number cache_level;
  Word physical_bits_mode;
  Number physical_bits;
  std::vector<CpuFeature> features;
  std::vector<NumaCell> numa;
  bool operator==(const Cpu&) const = default;
};

struct Vcpu {
  Number id;
  Switch enabled = Switch::unset, hotpluggable = Switch::unset;
  Number order;
  bool operator==(const Vcpu&) const = default;
};

struct Timer {
  Word name, tick_policy, track, mode;
  Switch present = Switch::unset;
  Number frequency;
  Number catchup_threshold, catchup_slew, catchup_limit;
  bool operator==(const Timer&) const = default;
};

struct Clock {
  Word offset, basis;
  std::string adjustment;  ///< seconds, signed, or "reset"
  std::string timezone;
  Number start;
  std::vector<Timer> timers;
  bool operator==(const Clock&) const = default;
};

struct Description {
  std::string name;
  DomainId id;
  Accelerator accelerator{};
  std::string architecture;   ///< "x86_64"
  std::string machine_type;   ///< canonical, versioned: "pc-q35-7.2"
  std::string generation_id;  ///< `<genid>`; empty when the machine has none
  Number memory_kib, current_memory_kib, max_memory_kib, memory_slots;
  Number vcpus, current_vcpus;
  std::vector<Vcpu> vcpu_states;
  Boot boot;
  Features features;
  std::optional<Cpu> cpu;
  Clock clock;
  Word on_poweroff, on_reboot, on_crash;
  Switch suspend_to_mem = Switch::unset, suspend_to_disk = Switch::unset;
  Devices devices;
  bool operator==(const Description&) const = default;
};

/// The memory that the guest was given: what a host must have free to run it.
ByteCount memory(const Description& machine);

/// Everything wrong with a description as a whole (its single values were checked where they were
/// read): something needed is missing, a name or an address is used twice.
Mistakes inconsistencies(const Description& machine);

/// A `<cpu>` element as libvirt gives it; what of it the model lacks is left out.
Result<Cpu> read_cpu(std::string_view xml);
/// The element again.
std::string write_cpu(const Cpu& cpu);
/// A CPU as JSON, as it stands in a description; strict.
std::string write_cpu_json(const Cpu& cpu);
Result<Cpu> read_cpu_json(std::string_view text);

/// The `<cpu>` element as preflight compares it (libvirt's CPU XML, without NUMA cells); for a
/// machine that names no CPU, one with QEMU's default model.
std::string cpu_xml(const Description& machine);

/// The description as JSON, canonical: same description, same bytes.
std::string write_json(const Description& machine);

/// Strict: unknown or repeated members, words not on their list, numbers out of range, more than
/// 1 MiB or 16 levels are mistakes, each with its JSON pointer. read_json(write_json(d)) == d.
Result<Description> read_json(std::string_view text);

}  // namespace satchel::machine
