// Where each member of a description stands in domain XML and in JSON (see schema_devices.hpp for
// how paths are written). Internal to lib/machine.
#pragma once

#include "machine/description.hpp"
#include "machine/schema_devices.hpp"
#include "machine/shapes.hpp"

namespace satchel::machine {

/// Version of the JSON form, its first member; another number is refused.
inline constexpr std::uint64_t json_version = 1;

template <class V>
void fields(V& v, Firmware& f) {
  v.text("kind", "@firmware", f.kind, shape::firmware);
  v.state("secure_boot", "loader/@secure", f.secure_boot, Spelling::yes_no);
  v.text("loader_name", "loader/@name", f.loader_name, shape::file_name);
  v.number("loader_size", "loader/@size", f.loader_size, range::dword);
}

template <class V>
void fields(V& v, BootDevice& b) {
  v.text("device", "@dev", b.device, shape::boot_device);
}

template <class V>
void fields(V& v, SmbiosEntry& e) {
  v.text("table", "@table", e.table, shape::smbios_table);
  v.text("name", "@name", e.name, shape::identifier);
  v.text("value", ".", e.value, shape::printable);
}

template <class V>
void fields(V& v, Boot& b) {
  v.part("firmware", "os", b.firmware);
  v.list("order", "os/boot", b.order, 4);
  v.state("menu", "os/bootmenu/@enable", b.menu, Spelling::yes_no);
  v.number("menu_timeout", "os/bootmenu/@timeout", b.menu_timeout, range::word);
  v.text("smbios", "os/smbios/@mode", b.smbios, shape::smbios);
  v.state("bios_use_serial", "os/bios/@useserial", b.bios_use_serial, Spelling::yes_no);
  v.list("smbios_entries", "sysinfo/entry", b.smbios_entries, 64);
}

template <class V>
void fields(V& v, Enlightenment& e) {
  v.text("name", "@name", e.name, shape::enlightenment);
  v.state("state", "@state", e.state, Spelling::on_off);
  v.number("retries", "@retries", e.retries, range::dword);
  v.text("vendor", "@value", e.vendor, shape::vendor);
  v.state("direct", "direct/@state", e.direct, Spelling::on_off);
}

template <class V>
void fields(V& v, Features& f) {
  v.flag("acpi", "acpi", f.acpi);
  v.flag("apic", "apic", f.apic);
  v.state("apic_eoi", "apic/@eoi", f.apic_eoi, Spelling::on_off);
  v.flag("pae", "pae", f.pae);
  v.flag("privnet", "privnet", f.privnet);
  v.state("hap", "hap/@state", f.hap, Spelling::on_off);
  v.state("pmu", "pmu/@state", f.pmu, Spelling::on_off);
  v.state("vmport", "vmport/@state", f.vmport, Spelling::on_off);
  v.state("smm", "smm/@state", f.smm, Spelling::on_off);
  v.kib("smm_tseg_kib", "smm/tseg", f.smm_tseg_kib);
  v.state("pvspinlock", "pvspinlock/@state", f.pvspinlock, Spelling::on_off);
  v.state("vmcoreinfo", "vmcoreinfo/@state", f.vmcoreinfo, Spelling::on_off);
  v.state("kvm_hidden", "kvm/hidden/@state", f.kvm_hidden, Spelling::on_off);
  v.state("kvm_hint_dedicated", "kvm/hint-dedicated/@state", f.kvm_hint_dedicated,
          Spelling::on_off);
  v.state("kvm_poll_control", "kvm/poll-control/@state", f.kvm_poll_control, Spelling::on_off);
  v.state("kvm_pv_ipi", "kvm/pv-ipi/@state", f.kvm_pv_ipi, Spelling::on_off);
  v.text("ioapic", "ioapic/@driver", f.ioapic, shape::ioapic);
  v.text("unknown_msrs", "msrs/@unknown", f.unknown_msrs, shape::msrs);
  v.list("hyperv", "hyperv/entry", f.hyperv, 32);
}

template <class V>
void fields(V& v, CpuFeature& f) {
  v.text("name", "@name", f.name, shape::identifier);
  v.text("policy", "@policy", f.policy, shape::cpu_policy);
}

template <class V>
void fields(V& v, NumaDistance& d) {
  v.number("to", "@id", d.to, range::word);
  v.number("value", "@value", d.value, range::byte);
}

template <class V>
void fields(V& v, NumaCell& c) {
  v.number("id", "@id", c.id, range::word);
  v.text("cpus", "@cpus", c.cpus, shape::cpu_list);
  v.kib("memory_kib", "@memory", c.memory_kib);
  v.list("distances", "distances/sibling", c.distances, 128);
}

template <class V>
void fields(V& v, Cpu& c) {
  v.text("mode", "@mode", c.mode, shape::cpu_mode);
  v.text("match", "@match", c.match, shape::cpu_match);
  v.text("check", "@check", c.check, shape::cpu_check);
  v.state("migratable", "@migratable", c.migratable, Spelling::on_off);
  v.text("model", "model", c.model, shape::identifier);
  v.text("fallback", "model/@fallback", c.fallback, shape::cpu_fallback);
  v.text("vendor_id", "model/@vendor_id", c.vendor_id, shape::vendor);
  v.text("vendor", "vendor", c.vendor, shape::vendor);
  v.number("sockets", "topology/@sockets", c.sockets, range::vcpus);
  v.number("dies", "topology/@dies", c.dies, range::vcpus);
  v.number("cores", "topology/@cores", c.cores, range::vcpus);
  v.number("threads", "topology/@threads", c.threads, range::vcpus);
  v.text("cache_mode", "cache/@mode", c.cache_mode, shape::cpu_cache);
  v.number("cache_level", "cache/@level", c.cache_level, range::byte);
  v.text("physical_bits_mode", "maxphysaddr/@mode", c.physical_bits_mode, shape::cpu_bits);
  v.number("physical_bits", "maxphysaddr/@bits", c.physical_bits, range::byte);
  v.list("features", "feature", c.features, 400);
  v.list("numa", "numa/cell", c.numa, 128);
}

template <class V>
void fields(V& v, Vcpu& c) {
  v.number("id", "@id", c.id, range::word);
  v.state("enabled", "@enabled", c.enabled, Spelling::yes_no);
  v.state("hotpluggable", "@hotpluggable", c.hotpluggable, Spelling::yes_no);
  v.number("order", "@order", c.order, range::word);
}

template <class V>
void fields(V& v, Timer& t) {
  v.text("name", "@name", t.name, shape::timer);
  v.state("present", "@present", t.present, Spelling::yes_no);
  v.text("tick_policy", "@tickpolicy", t.tick_policy, shape::tick_policy);
  v.text("track", "@track", t.track, shape::timer_track);
  v.text("mode", "@mode", t.mode, shape::timer_mode);
  v.number("frequency", "@frequency", t.frequency, range::any);
  v.number("catchup_threshold", "catchup/@threshold", t.catchup_threshold, range::dword);
  v.number("catchup_slew", "catchup/@slew", t.catchup_slew, range::dword);
  v.number("catchup_limit", "catchup/@limit", t.catchup_limit, range::dword);
}

template <class V>
void fields(V& v, Clock& c) {
  v.text("offset", "@offset", c.offset, shape::clock_offset);
  v.text("adjustment", "@adjustment", c.adjustment, shape::adjustment);
  v.text("basis", "@basis", c.basis, shape::clock_basis);
  v.text("timezone", "@timezone", c.timezone, shape::timezone);
  v.number("start", "@start", c.start, range::any);
  v.list("timers", "timer", c.timers, 16);
}

template <class V>
void fields(V& v, Description& d) {
  v.version("version", json_version);
  v.text("name", "name", d.name, shape::name);
  v.uuid("id", "uuid", d.id);
  v.accelerator("accelerator", "@type", d.accelerator);
  v.text("architecture", "os/type/@arch", d.architecture, shape::architecture);
  v.text("machine_type", "os/type/@machine", d.machine_type, shape::machine_type);
  v.text("generation_id", "genid", d.generation_id, shape::uuid);
  v.kib("memory_kib", "memory", d.memory_kib);
  v.kib("current_memory_kib", "currentMemory", d.current_memory_kib);
  v.kib("max_memory_kib", "maxMemory", d.max_memory_kib);
  v.number("memory_slots", "maxMemory/@slots", d.memory_slots, range::byte);
  v.number("vcpus", "vcpu", d.vcpus, range::vcpus);
  v.number("current_vcpus", "vcpu/@current", d.current_vcpus, range::vcpus);
  v.list("vcpu_states", "vcpus/vcpu", d.vcpu_states, 4096);
  v.part("boot", "", d.boot);
  v.part("features", "features", d.features);
  v.part("cpu", "cpu", d.cpu);
  v.part("clock", "clock", d.clock);
  v.text("on_poweroff", "on_poweroff", d.on_poweroff, shape::on_end);
  v.text("on_reboot", "on_reboot", d.on_reboot, shape::on_end);
  v.text("on_crash", "on_crash", d.on_crash, shape::on_end);
  v.state("suspend_to_mem", "pm/suspend-to-mem/@enabled", d.suspend_to_mem, Spelling::yes_no);
  v.state("suspend_to_disk", "pm/suspend-to-disk/@enabled", d.suspend_to_disk, Spelling::yes_no);
  v.part("devices", "devices", d.devices);
}

}  // namespace satchel::machine
