// Making a capsule of a machine that was none before.
#include <fcntl.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "machine/description.hpp"
#include "runtime/host_world.hpp"

namespace satchel::test {

namespace {

using Call = FakeHypervisor::Call;
namespace fs = std::filesystem;

struct CreateWorld : HostWorld {
  CreateWorld() {
    anvil.start();
    anvil.plug();
    const std::string content(3 << 20, 'x');
    std::ofstream(file("disk.raw"), std::ios::binary) << content;
  }
  ~CreateWorld() { CHECK(anvil.breaches == std::vector<std::string>{}); }

  std::string file(const std::string& name) const { return (scratch.path() / name).string(); }
  UniqueFd open(const std::string& name, int flags = O_RDONLY) const {
    UniqueFd fd(::open(file(name).c_str(), flags | O_CLOEXEC));
    REQUIRE(fd);
    return fd;
  }
  void run(const std::string& command) const {
    REQUIRE(std::system(("cd " + scratch.path().string() + " && " + command).c_str()) == 0);
  }
  CreateRequest request(const std::string& disk = "disk.raw") { return request(disk, anvil); }
  CreateRequest request(const std::string& disk, TestHost& host) {
    CreateRequest out;
    out.wish.name = "fresh";
    out.wish.memory = mebibytes(512);
    out.device = host.device();
    if (!disk.empty()) out.disk = open(disk);
    return out;
  }
  std::string create(CreateRequest request) {
    return anvil.result([&] { return anvil.host().create(std::move(request)); });
  }
  CapsuleId created() {
    for (const auto& capsule : anvil.host().view().capsules)
      if (capsule.name == "fresh") return capsule.id;
    FAIL("there is no capsule");
    return {};
  }
  machine::Description machine(CapsuleId capsule) const {
    auto out = machine::read_json(head(capsule).machine_json);
    REQUIRE(out);
    return std::move(*out);
  }
  std::vector<std::string> left_on_device() const {
    std::vector<std::string> out;
    const auto place = device() / "satchel";
    if (!fs::exists(place)) return out;
    for (const auto& each : fs::directory_iterator(place))
      if (each.is_directory()) out.push_back(each.path().filename().string());
    return out;
  }
};

bool says(const std::string& sentence, const std::string& part) {
  return sentence.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an image in each format becomes a capsule with the same disk") {
  CreateWorld world;
  const std::string format = GENERATE(as<std::string>{}, "raw", "qcow2", "vmdk", "vdi", "vhdx");
  INFO(format);
  world.run("test " + format + " = raw || qemu-img convert -f raw -O " + format +
            " disk.raw disk." + format);
  REQUIRE(world.create(world.request("disk." + format)) == "done");
  const auto capsule = world.created();
  CHECK(world.anvil.state(capsule) == "ready");
  const auto head = world.head(capsule);
  CHECK(head.generation.seq == Sequence(1));
  CHECK(head.history.at(0).what == "create");
  CHECK_FALSE(head.checked_out);
  REQUIRE(head.disks.size() == 1);
  CHECK(head.disks[0].chain == std::vector<std::string>{"vda/image.qcow2", "vda/cow.qcow2"});
  world.run("qemu-img compare -q -f raw -F qcow2 disk.raw " +
            (world.on_device(capsule) / "vda/image.qcow2").string());
  CHECK(world.anvil.log.says("recognised as " + format));
}

TEST_CASE("an empty disk of a size becomes a capsule that boots what is on its CD") {
  CreateWorld world;
  std::ofstream(world.file("install.iso")) << std::string(2 << 20, 'i');
  auto request = world.request("");
  request.size = ByteCount((20 << 20) - 100);
  request.cdrom = world.open("install.iso");
  request.wish.medium = machine::Wish::Medium::cd;
  request.afterwards = CreateRequest::Afterwards::launch;
  REQUIRE(world.create(std::move(request)) == "done");
  const auto capsule = world.created();
  CHECK(world.anvil.state(capsule) == "running");
  const auto head = world.head(capsule);
  REQUIRE(head.disks.size() == 2);
  CHECK(head.disks[0].virtual_size == mebibytes(20));
  CHECK(head.disks[1].target == "sda");
  CHECK(head.disks[1].is_medium());
  CHECK_FALSE(fs::exists(world.anvil.session_directory(capsule) / "sda.qcow2"));

  // It travels in its drive, and shipping the session leaves it alone.
  REQUIRE(world.anvil.result([&] { return world.anvil.host().eject(capsule); }) == "done");
  const auto ejected = world.head(capsule);
  REQUIRE(ejected.disks.size() == 2);
  CHECK(ejected.disks[1] == head.disks[1]);
  CHECK(ejected.disks[0].chain.size() == 3);
}

TEST_CASE("what a machine is made of is what this host has and was asked for") {
  CreateWorld world;
  auto request = world.request();
  request.wish.cpus = 3;
  request.wish.disk_bus = "sata";
  request.wish.network = "e1000e";
  REQUIRE(world.create(std::move(request)) == "done");
  const auto machine = world.machine(world.created());
  CHECK(machine.machine_type == "pc-q35-7.2");
  CHECK(machine.accelerator == Accelerator::tcg);
  CHECK(machine.vcpus == 3);
  CHECK(machine.devices.disks.at(0).target == "sda");
  CHECK(machine.devices.interfaces.at(0).model == "e1000e");
  CHECK(machine.devices.balloons.at(0).free_page_reporting == machine::Switch::on);
  REQUIRE(machine.cpu);
  CHECK(machine.cpu->model == "Fake");
  CHECK(machine.cpu->features.size() == 3);
}

TEST_CASE("a new machine's processor and type are those that all known hosts have") {
  CreateWorld world;
  auto& bellows = world.bellows;
  bellows.hypervisor.cpu_features = {"aes", "sse4.2", "avx512f"};
  bellows.hypervisor.abilities.machine_types = {"pc-q35-6.2"};
  world.anvil.hypervisor.abilities.machine_types = {"pc-q35-6.2", "pc-q35-7.2"};
  // The other host meets this device once; its card stays on it.
  REQUIRE(world.create(world.request()) == "done");
  const auto first = world.created();
  CHECK(world.machine(first).machine_type == "pc-q35-7.2");
  world.anvil.pull();
  world.anvil.stop();
  bellows.start();
  bellows.plug();
  REQUIRE(bellows.reaches(first, "ready"));
  auto theirs = world.request("disk.raw", bellows);
  theirs.wish.name = "theirs";
  REQUIRE(bellows.result([&] { return bellows.host().create(std::move(theirs)); }) == "done");
  bellows.pull();
  bellows.stop();

  world.anvil.start();
  world.anvil.plug();
  auto again = world.request();
  again.wish.name = "shared";
  REQUIRE(world.create(std::move(again)) == "done");
  for (const auto& capsule : world.anvil.host().view().capsules) {
    if (capsule.name != "shared") continue;
    const auto machine = world.machine(capsule.id);
    CHECK(machine.machine_type == "pc-q35-6.2");
    REQUIRE(machine.cpu);
    std::vector<std::string> features;
    for (const auto& each : machine.cpu->features) features.push_back(each.name);
    CHECK(features == std::vector<std::string>{"aes", "sse4.2"});
    CHECK(world.anvil.log.says("bellows have"));
    return;
  }
  FAIL("there is no capsule");
}

TEST_CASE("what can't become a disk is refused and leaves nothing on the device") {
  CreateWorld world;
  auto request = world.request("");
  std::string words;
  SECTION("an image over /etc/shadow") {
    world.run("qemu-img create -q -f qcow2 -u -b /etc/shadow -F raw bad.qcow2 8M");
    request.disk = world.open("bad.qcow2");
    words = "changes to another file";
  }
  SECTION("a description that points elsewhere") {
    std::ofstream(world.file("bad.vmdk"))
        << "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
           "createType=\"monolithicFlat\"\nRW 16384 FLAT \"/etc/shadow\" 0\n";
    request.disk = world.open("bad.vmdk");
    words = "in other files";
  }
  SECTION("a file that is cut off") {
    world.run("qemu-img convert -f raw -O vdi disk.raw bad.vdi && truncate -s 1M bad.vdi");
    request.disk = world.open("bad.vdi");
    words = "cut off";
  }
  for (const std::string format : {"qcow2", "vmdk"})
    SECTION("a " + format + " that is cut off behind its tables") {
      const auto bad = "bad." + format;
      world.run("head -c 8M /dev/urandom > full.raw && qemu-img convert -f raw -O " + format +
                " full.raw " + bad + " && truncate -s -3M " + bad);
      request.disk = world.open(bad);
      words = "cut off";
    }
  SECTION("another format than was said") {
    request.disk = world.open("disk.raw");
    request.format = "vhdx";
    words = "not a vhdx";
  }
  SECTION("a descriptor that is only for writing") {
    request.disk = world.open("disk.raw", O_WRONLY);
    words = "not open for reading";
  }
  SECTION("a directory") {
    request.disk = world.open(".");
    words = "not a regular file";
  }
  SECTION("a device that no machine has") {
    request.disk = world.open("disk.raw");
    request.wish.network = "warp";
    words = "must be one of";
  }
  const auto sentence = world.create(std::move(request));
  INFO(sentence);
  CHECK(says(sentence, words));
  CHECK(world.left_on_device().empty());
  CHECK(world.anvil.host().view().capsules.empty());
}

TEST_CASE("a request that makes no sense is refused at once") {
  CreateWorld world;
  const auto refuses = [&](const std::function<void(CreateRequest&)>& change) {
    auto request = world.request();
    change(request);
    CHECK_THROWS_AS(world.anvil.host().create(std::move(request)), Fault);
  };
  refuses([](CreateRequest& request) { request.size = mebibytes(8); });
  refuses([](CreateRequest& request) { request.disk = {}; });
  refuses([](CreateRequest& request) { request.format = "qed"; });
  refuses([](CreateRequest& request) { request.wish.name = "two\nlines"; });
  refuses([](CreateRequest& request) { request.device = DeviceNumber(99); });
  CHECK(world.left_on_device().empty());
}

TEST_CASE("no room on the device is told before anything is copied") {
  CreateWorld world;
  world.anvil.stop();
  world.anvil.config.space.keep_free_device = ByteCount(1ULL << 60);
  world.anvil.start();
  REQUIRE(world.anvil.until([&] {
    return !world.anvil.host().view().devices.empty() &&
           !world.anvil.host().view().devices[0].mount_point.empty();
  }));
  CHECK(says(world.create(world.request()), "free and"));
  CHECK(world.left_on_device().empty());
}

TEST_CASE("a create that is cancelled leaves nothing") {
  CreateWorld world;
  world.run(
      "truncate -s 64M large.raw && "
      "dd if=/dev/urandom of=large.raw bs=1M count=48 conv=notrunc status=none");
  auto request = world.request("large.raw");
  const auto job = world.anvil.host().create(std::move(request));
  REQUIRE(world.anvil.until([&] { return !world.left_on_device().empty(); }));
  world.anvil.host().cancel(job);
  CHECK(world.anvil.end_of(job).result == "cancelled");
  CHECK(world.left_on_device().empty());
}

TEST_CASE("a machine that was created and does not start stays on the device") {
  CreateWorld world;
  world.anvil.hypervisor.fail(Call::start);
  auto request = world.request();
  request.afterwards = CreateRequest::Afterwards::launch;
  CHECK(says(world.create(std::move(request)), "it was created, but did not start"));
  CHECK(world.anvil.state(world.created()) == "ready");
}

}  // namespace satchel::test
