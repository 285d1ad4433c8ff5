#include "osinfo/advice.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace satchel::osinfo {

namespace {

constexpr auto usual_memory = ByteCount(std::uint64_t{2} << 30);
constexpr std::uint64_t usual_cpus = 2;

using Names = std::initializer_list<const char*>;

bool drives(const System& system, Names devices) {
  return std::any_of(devices.begin(), devices.end(),
                     [&](const char* name) { return system.devices.count(name) != 0; });
}

/// The first interface that it drives; of those that no data name, the most widespread.
std::string network_for(const System& system) {
  if (drives(system, {"virtio1.0-net", "virtio-net"})) return "virtio";
  for (const char* model : {"e1000e", "e1000", "rtl8139", "pcnet", "ne2k_pci"})
    if (drives(system, {model})) return model;
  return "e1000";
}

ByteCount memory_for(const System& system, const Means& means) {
  const auto wanted = system.memory.value_or(usual_memory);
  const auto affordable = ByteCount(means.memory.value / 2);
  const auto least = system.least_memory.value_or(ByteCount());
  return std::max(std::min(wanted, affordable), least);
}

}  // namespace

Advice advise(const System& system, const Means& means) {
  Advice out;
  const bool windows = system.family == "winnt" || system.family.starts_with("win");
  const bool paravirtual = drives(system, {"virtio1.0-block", "virtio-block"});
  out.disk_bus = paravirtual ? "virtio" : "sata";
  out.network = network_for(system);
  out.video = drives(system, {"virtio1.0-gpu"}) ? "virtio" : "vga";
  out.clock = windows ? "localtime" : "utc";
  const std::pair<const char*, bool> devices[] = {
      {"rng", drives(system, {"virtio1.0-rng", "virtio-rng"})},
      {"balloon", drives(system, {"virtio1.0-balloon", "virtio-balloon"})},
      {"agent", drives(system, {"virtio1.0-console", "virtio-console"})},
      {"tablet", drives(system, {"tablet"})},
      {"hyperv", windows},
  };
  for (const auto& [word, wanted] : devices)
    if (wanted) out.devices.push_back(word);
  out.memory = memory_for(system, means);
  out.cpus = std::clamp<std::uint64_t>(system.cpus.value_or(usual_cpus), 1,
                                       std::max<std::uint64_t>(means.cpus, 1));
  out.storage = system.storage;
  if (!paravirtual)
    out.notes.push_back(system.name +
                        " has no drivers for virtio disks of its own: the disk is a SATA one.");
  return out;
}

}  // namespace satchel::osinfo
