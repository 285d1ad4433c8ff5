#include "machine/building.hpp"

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include "machine/shapes.hpp"
#include "ports/hypervisor.hpp"

namespace satchel::machine {

namespace {

constexpr std::string_view q35 = "pc-q35-";

/// {7, 2} of "pc-q35-7.2"; none for aliases and other boards.
std::optional<std::pair<unsigned, unsigned>> version_of(std::string_view type) {
  if (!type.starts_with(q35)) return std::nullopt;
  std::pair<unsigned, unsigned> out{};
  const auto* end = type.data() + type.size();
  const auto major = std::from_chars(type.data() + q35.size(), end, out.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, out.second);
  if (minor.ec != std::errc() || minor.ptr != end) return std::nullopt;
  return out;
}

std::string fitting_name(const std::string& name) {
  std::string out;
  for (const char c : name.substr(0, shape::name.longest))
    out += shape::name.fits(std::string_view(&c, 1)) ? c : '-';
  return out.empty() ? "machine" : out;
}

/// Of QEMU's own range, as libvirt makes them; written down so that it stays the same.
std::string new_mac() {
  std::random_device random;
  std::string out = "52:54:00";
  for (int i = 0; i < 3; ++i) {
    constexpr auto digits = "0123456789abcdef";
    const auto byte = random() & 0xff;
    out += std::string(":") + digits[byte >> 4] + digits[byte & 0xf];
  }
  return out;
}

Boot boot_of(const Wish& wish) {
  Boot out;
  out.menu = Switch::on;
  out.menu_timeout = 3000;
  out.firmware.kind = wish.firmware == Wish::Kind::efi ? "efi" : "bios";
  return out;
}

Enlightenment enlightenment(const char* name) {
  Enlightenment out;
  out.name = name;
  out.state = Switch::on;
  return out;
}

Features features_of(const Wish& wish) {
  Features out;
  out.acpi = out.apic = true;
  out.vmport = Switch::off;
  if (wish.hyperv == Wish::Drives::no || wish.accelerator != Accelerator::kvm) return out;
  for (const char* name : {"relaxed", "vapic", "spinlocks", "vpindex", "synic", "stimer"})
    out.hyperv.push_back(enlightenment(name));
  out.hyperv[2].retries = 8191;
  return out;
}

Clock clock_of(const Wish& wish) {
  Clock out;
  out.offset = wish.clock == Wish::Clock::utc ? "utc" : "localtime";
  Timer rtc, pit, hpet;
  rtc.name = "rtc";
  rtc.tick_policy = "catchup";
  pit.name = "pit";
  pit.tick_policy = "delay";
  hpet.name = "hpet";
  hpet.present = Switch::off;
  out.timers = {rtc, pit, hpet};
  return out;
}

/// One socket: systems for desktops use no more than one or two.
Cpu cpu_of(const Wish& wish) {
  Cpu out = wish.cpu.value_or(Cpu{});
  out.sockets = out.dies = out.threads = 1;
  out.cores = wish.cpus;
  return out;
}

std::vector<Disk> disks_of(const Wish& wish) {
  Disk disk;
  disk.target = disk_target(wish);
  disk.bus = wish.disk_bus;
  disk.device = "disk";
  disk.place.boot_order = 1;
  std::vector<Disk> out{disk};
  if (wish.medium == Wish::Medium::none) return out;
  Disk drive;
  drive.target = cd_target(wish);
  drive.bus = "sata";
  drive.device = "cdrom";
  drive.read_only = true;
  drive.place.boot_order = 2;
  out.push_back(drive);
  return out;
}

Controller controller(const char* type, const char* model) {
  Controller out;
  out.type = type;
  out.index = 0;
  out.model = model;
  return out;
}

Devices devices_of(const Wish& wish) {
  const auto drives = [](Wish::Drives answer) { return answer == Wish::Drives::yes; };
  Devices out;
  out.controllers.push_back(controller("usb", "qemu-xhci"));
  out.controllers.back().ports = 15;
  out.disks = disks_of(wish);
  if (!wish.network.empty()) {
    Interface nic;
    nic.mac = new_mac();
    nic.model = wish.network;
    nic.network = "default";
    nic.backend = "tap";
    out.interfaces.push_back(nic);
  }
  Port serial;
  serial.target = "isa-serial";
  serial.number = 0;
  out.serials.push_back(serial);
  if (drives(wish.agent)) {
    out.controllers.push_back(controller("virtio-serial", ""));
    Port agent;
    agent.target = "virtio";
    agent.name = "org.qemu.guest_agent.0";
    out.channels.push_back(agent);
  }
  if (drives(wish.tablet)) {
    Input tablet;
    tablet.type = "tablet";
    tablet.bus = "usb";
    out.inputs.push_back(tablet);
  }
  Video video;
  video.model = wish.video;
  out.videos.push_back(video);
  if (wish.video != "none") out.graphics.push_back({"vnc"});
  Balloon balloon;
  balloon.model = drives(wish.balloon) ? "virtio" : "none";
  if (drives(wish.balloon)) balloon.free_page_reporting = Switch::on;
  out.balloons.push_back(balloon);
  if (drives(wish.rng)) {
    Rng rng;
    rng.model = "virtio";
    out.rngs.push_back(rng);
  }
  return out;
}

}  // namespace

std::string disk_target(const Wish& wish) { return wish.disk_bus == "virtio" ? "vda" : "sda"; }

std::string cd_target(const Wish& wish) { return wish.disk_bus == "virtio" ? "sda" : "sdb"; }

Result<Description> build_machine(const Wish& wish) {
  Description out;
  out.name = fitting_name(wish.name);
  out.id = DomainId(Uuid::random());
  out.accelerator = wish.accelerator;
  out.architecture = "x86_64";
  out.machine_type = wish.machine_type;
  out.memory_kib = out.current_memory_kib = wish.memory.value >> 10;
  out.vcpus = wish.cpus;
  out.boot = boot_of(wish);
  out.features = features_of(wish);
  out.cpu = cpu_of(wish);
  out.clock = clock_of(wish);
  out.on_poweroff = "destroy";
  out.on_reboot = "restart";
  out.on_crash = "destroy";
  out.suspend_to_mem = out.suspend_to_disk = Switch::off;
  out.devices = devices_of(wish);
  return read_json(write_json(out));  // which has the lists of what may stand where
}

std::optional<std::string> newest_q35(const std::vector<std::string>& machine_types) {
  const auto newest = std::max_element(
      machine_types.begin(), machine_types.end(),
      [](const auto& one, const auto& other) { return version_of(one) < version_of(other); });
  if (newest == machine_types.end() || !version_of(*newest)) return std::nullopt;
  return *newest;
}

bool older_type(std::string_view one, std::string_view other) {
  return version_of(one) < version_of(other);
}

}  // namespace satchel::machine
