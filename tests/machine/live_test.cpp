// The real proof: a guest that runs is saved by libvirt, its description goes through JSON, and
// QEMU takes the memory back with the XML written from it. The embedded driver, no libvirtd.
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/handle.hpp"
#include "machine/fixtures.hpp"

using namespace satchel;
using namespace satchel::machine;
using namespace satchel::machine::tests;

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// Prints A to Z over and over on the first serial port; which letter is next is in memory only.
constexpr unsigned char counting_boot_sector[] = {
    0x31, 0xc0,                          // xor ax, ax
    0x8e, 0xd8,                          // mov ds, ax
    0xc6, 0x06, 0x00, 0x05, 0x00,        // mov byte [0x500], 0
    0xba, 0xf8, 0x03,                    // mov dx, 0x3f8
    0x66, 0xb9, 0x00, 0x00, 0x40, 0x00,  // next: mov ecx, 0x400000
    0x66, 0x49,                          // wait: dec ecx
    0x75, 0xfc,                          // jnz wait
    0xa0, 0x00, 0x05,                    // mov al, [0x500]
    0x04, 0x41,                          // add al, 'A'
    0xee,                                // out dx, al
    0xfe, 0x06, 0x00, 0x05,              // inc byte [0x500]
    0x80, 0x3e, 0x00, 0x05, 0x1a,        // cmp byte [0x500], 26
    0x75, 0xe5,                          // jne next
    0xc6, 0x06, 0x00, 0x05, 0x00,        // mov byte [0x500], 0
    0xeb, 0xde,                          // jmp next
};

/// One libvirt of its own in a short temporary directory, with its guest's files.
class World {
 public:
  World() {
    char name[] = "/tmp/smXXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no temporary directory");
    root_ = name;
    fs::create_directories(root_ + "/etc");
    std::ofstream(root_ + "/etc/qemu.conf")
        << "user = \"root\"\ngroup = \"root\"\ndynamic_ownership = 0\n"
           "security_driver = \"none\"\nnamespaces = []\ncgroup_controllers = []\n"
           "stdio_handler = \"file\"\n";
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() {
    run("virsh -q -c '" + uri() + "' destroy guest");
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  std::string path(const std::string& name) const { return root_ + "/" + name; }
  std::string uri() const { return "qemu:///embed?root=" + root_; }

  /// Runs a virsh command that must succeed; gives what it prints.
  std::string virsh(const std::string& command) {
    const auto [status, output] = run("virsh -q -c '" + uri() + "' " + command);
    INFO("virsh " << command << "\n" << read_text(path("stderr")));
    REQUIRE(status == 0);
    return output;
  }
  void shell(const std::string& command) {
    INFO(command);
    REQUIRE(run(command).first == 0);
  }

 private:
  std::pair<int, std::string> run(const std::string& command) {
    FILE* pipe = popen((command + " 2>" + path("stderr")).c_str(), "r");
    if (pipe == nullptr) return {-1, ""};
    std::string output;
    std::array<char, 4096> buffer;
    for (std::size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
      output.append(buffer.data(), n);
    }
    return {pclose(pipe), output};
  }

  std::string root_;
};

std::string letters(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  for (char c; file.get(c);) {
    if (c >= 'A' && c <= 'Z') text += c;
  }
  return text;
}

/// The end of the firmware's own words: from there on only the guest counts.
std::string counted(const std::string& path) {
  const std::string all = letters(path);
  const auto begin = all.find("ABCDE");
  return begin == std::string::npos ? "" : all.substr(begin);
}

/// Looks whenever something in the world changes, until it is there or a minute has gone.
template <class F>
void await(const World& world, const char* what, F there) {
  UniqueFd changes(inotify_init1(IN_CLOEXEC));
  REQUIRE(inotify_add_watch(changes.get(), world.path("").c_str(), IN_MODIFY | IN_CREATE) >= 0);
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!there()) {
    INFO("waiting for " << what);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    REQUIRE(left.count() > 0);
    pollfd ready{changes.get(), POLLIN, 0};
    std::array<char, 4096> events;
    if (poll(&ready, 1, static_cast<int>(left.count())) > 0) {
      REQUIRE(read(changes.get(), events.data(), events.size()) > 0);
    }
  }
}

/// libvirt's save image made anew: its header's layout, our XML, no cookie, QEMU's own stream.
void put_xml_before_stream(const std::string& from, const std::string& to, const std::string& xml) {
  const std::string image = read_text(from);
  const auto stream = image.find("QEVM");
  REQUIRE(stream != std::string::npos);
  std::array<std::uint32_t, 5> numbers{2, static_cast<std::uint32_t>(xml.size() + 1), 1, 0, 0};
  std::string header(92, '\0');
  std::memcpy(header.data(), "LibvirtQemudSave", 16);
  std::memcpy(header.data() + 16, numbers.data(), sizeof numbers);
  std::ofstream(to, std::ios::binary) << header << xml << '\0' << image.substr(stream);
}

/// Makes the disks, puts the world's paths into the domain and starts it.
void start(World& world, std::string domain) {
  std::string sector(512, '\0');
  std::memcpy(sector.data(), counting_boot_sector, sizeof counting_boot_sector);
  sector[510] = '\x55';
  sector[511] = '\xaa';
  std::ofstream(world.path("boot.raw"), std::ios::binary) << sector;
  fs::resize_file(world.path("boot.raw"), 1 << 20);
  world.shell("qemu-img create -q -f qcow2 " + world.path("second.qcow2") + " 8M");
  for (auto at = domain.find("ROOT"); at != std::string::npos; at = domain.find("ROOT")) {
    domain.replace(at, 4, world.path(""));
  }
  std::ofstream(world.path("guest.xml")) << domain;
  world.virsh("define " + world.path("guest.xml"));
  world.virsh("start guest");
}

std::string live_xml(World& world) {
  return world.virsh("dumpxml --migratable --security-info guest");
}

/// What this test's "other host" gives: overlays over the same files, copies of the variables.
SessionPlan plan_there(World& world, const Reading& reading) {
  SessionPlan plan;
  plan.domain_name = "guest";
  plan.start = Start::resume;
  plan.serial_log_path = world.path("there.log");
  if (reading.nvram_path) {
    plan.nvram_path = world.path("there.fd");
    fs::copy_file(*reading.nvram_path, plan.nvram_path);
  }
  for (const DiskSource& disk : reading.disks) {
    const std::string overlay = world.path(disk.target + ".qcow2");
    world.shell("qemu-img create -q -f qcow2 -F " + disk.format + " -b " + disk.path + " " +
                overlay);
    plan.disks.push_back({disk.target, {{"", overlay, "qcow2"}, {"", disk.path, disk.format}}});
  }
  return plan;
}

/// Saves the running guest and brings it back from its description alone; gives the description.
Description travel(World& world) {
  const std::string live = live_xml(world);
  auto reading = read_domain(live);
  INFO((reading ? "" : to_string(reading.error())));
  REQUIRE(reading);
  measure_firmware(*reading);
  world.virsh("save guest " + world.path("saved"));
  const auto machine = read_json(write_json(reading->machine));
  REQUIRE(machine);
  HostPolicy policy = policy_for(*machine);
  policy.firmware = firmware_on_host();
  const std::string written = write_domain(*machine, policy, plan_there(world, *reading));
  std::ofstream(world.path("written.xml")) << written;
  world.virsh("define " + world.path("written.xml"));
  put_xml_before_stream(world.path("saved"), world.path("made"), written);
  world.virsh("restore " + world.path("made"));
  return *machine;
}

/// The next eject reads the session's own XML: nothing that the guest sees may have moved.
void check_unmoved(World& world, Description expected) {
  auto again = read_domain(live_xml(world));
  REQUIRE(again);
  measure_firmware(*again);
  expected.devices.graphics = again->machine.devices.graphics;
  expected.generation_id = again->machine.generation_id;  // libvirt makes one at each restore
  expected.cpu = again->machine.cpu;  // libvirt has filled in what QEMU really gave
  for (Interface& nic : expected.devices.interfaces) {
    if (nic.backend == "tap") nic.link = Switch::off;
  }
  CHECK(write_json(again->machine) == write_json(expected));
}

void goes_on_counting(const std::string& domain) {
  World world;
  start(world, domain);
  await(world, "the guest to count", [&] { return counted(world.path("here.log")).size() > 10; });
  const Description machine = travel(world);
  await(world, "the guest to go on", [&] { return letters(world.path("there.log")).size() > 10; });

  const std::string before = counted(world.path("here.log"));
  const std::string all = before + letters(world.path("there.log"));
  std::size_t breaks = 0;
  for (std::size_t i = 1; i < all.size(); ++i) {
    breaks += all[i] != (all[i - 1] == 'Z' ? 'A' : all[i - 1] + 1);
  }
  INFO(before << " | " << all.substr(before.size()));
  CHECK(breaks == 0);
  check_unmoved(world, machine);
}

}  // namespace

TEST_CASE("a running pc machine goes on from its description") {
  goes_on_counting(R"(<domain type='qemu'><name>guest</name><memory unit='MiB'>48</memory>
    <vcpu>2</vcpu><os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
    <features><acpi/><apic/></features>
    <devices>
      <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='ROOT/boot.raw'/>
        <target dev='hda' bus='ide'/></disk>
      <disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='writethrough'/>
        <source file='ROOT/second.qcow2'/><target dev='vda' bus='virtio'/></disk>
      <disk type='file' device='cdrom'><target dev='hdc' bus='ide'/><readonly/></disk>
      <controller type='usb' model='piix3-uhci'/>
      <interface type='user'><model type='virtio'/></interface>
      <serial type='file'><source path='ROOT/here.log'/></serial>
      <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
      <graphics type='vnc'/><sound model='ich6'/><video><model type='cirrus'/></video>
      <input type='tablet' bus='usb'/>
      <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    </devices></domain>)");
}

TEST_CASE("a running q35 machine with bridges and buses goes on from its description") {
  goes_on_counting(
      R"(<domain type='qemu'><name>guest</name><maxMemory slots='2' unit='MiB'>128</maxMemory>
    <memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>
    <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>
    <features><acpi/><apic/><smm state='on'/></features>
    <cpu mode='custom' match='exact'><model>Nehalem</model>
      <topology sockets='1' dies='1' cores='2' threads='1'/>
      <numa><cell id='0' cpus='0-1' memory='64' unit='MiB'/></numa></cpu>
    <devices>
      <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='ROOT/boot.raw'/>
        <target dev='vda' bus='virtio'/></disk>
      <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
        <source file='ROOT/second.qcow2'/><target dev='sda' bus='scsi'/></disk>
      <controller type='scsi' model='virtio-scsi'/><controller type='usb' model='qemu-xhci'/>
      <interface type='ethernet'><model type='virtio'/></interface>
      <interface type='user'><model type='e1000e'/></interface>
      <serial type='file'><source path='ROOT/here.log'/></serial>
      <console type='pty'><target type='virtio'/></console>
      <channel type='pty'><target type='virtio' name='my.port'/></channel>
      <graphics type='vnc'/><video><model type='virtio'/></video>
      <redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='0'/></redirdev>
      <watchdog model='i6300esb' action='pause'/><panic model='isa'/>
      <memballoon model='virtio' freePageReporting='on'/>
    </devices></domain>)");
}

TEST_CASE("an EFI machine with one of nearly everything goes on from its description") {
  World world;
  std::string domain = domain_text("q35-efi-everything");
  domain = replaced(domain, "<name>fullq35", "<name>guest");
  domain = replaced(domain, "/srv/machines/d0.qcow2", "ROOT/second.qcow2");
  domain = replaced(domain, "/srv/machines/d1.raw", "ROOT/boot.raw");
  domain = replaced(domain, "      <source file='/srv/machines/cd.qcow2'/>", "");
  domain = replaced(domain, "/var/lib/libvirt/qemu/nvram/", "ROOT/");
  for (int i = 0; i < 2; ++i) domain = replaced(domain, "/var/log/serial.log", "ROOT/here.log");
  start(world, domain);
  const Description machine = travel(world);
  CHECK(machine.boot.firmware.loader_size.has_value());
  CHECK(world.virsh("domstate guest").starts_with("running"));
  check_unmoved(world, machine);
}
