// Making a capsule of a machine of this host.
#include <catch2/catch.hpp>
#include <fstream>

#include "runtime/host_world.hpp"

namespace satchel::test {

namespace {

using Call = FakeHypervisor::Call;

struct PackWorld : HostWorld {
  PackWorld() {
    anvil.start();
    anvil.plug();
  }
  ~PackWorld() { CHECK(anvil.breaches == std::vector<std::string>{}); }

  /// Cancelled once the machine runs on its overlay, which can't be merged back.
  void pack_in_vain() {
    PackRequest request;
    request.domain = "traveller";
    request.device = anvil.device();
    const auto job = anvil.host().pack(request);
    REQUIRE(anvil.until([&] { return anvil.hypervisor.count(Call::overlay) == 1; }));
    anvil.hypervisor.fail(Call::merge);
    anvil.host().cancel(job);
    CHECK(anvil.end_of(job).result == "cancelled");
  }
  std::string pack(const std::string& machine) {
    PackRequest request;
    request.domain = machine;
    request.device = anvil.device();
    return anvil.result([&] { return anvil.host().pack(request); });
  }
  bool device_is_empty() const {
    const auto capsules = device() / "satchel";
    if (!std::filesystem::exists(capsules)) return true;
    for (const auto& each : std::filesystem::directory_iterator(capsules))
      if (each.is_directory()) return false;
    return true;
  }
  bool host_is_empty() const {
    const auto sessions = anvil.session_directory(CapsuleId()).parent_path();
    return !std::filesystem::exists(sessions) || std::filesystem::is_empty(sessions);
  }
};

}  // namespace

TEST_CASE("a running machine is packed and goes on running in a session") {
  PackWorld world;
  auto& anvil = world.anvil;
  const auto id = anvil.machine("traveller");
  anvil.run_machine(id);
  anvil.hypervisor.tick(id);
  const auto capsule = anvil.pack("traveller");
  CHECK(anvil.state(capsule) == "running");
  CHECK(anvil.guest(id)->state == GuestState::running);
  CHECK(anvil.counter(id) == 1);
  CHECK(anvil.hypervisor.overlays(id, "vda").size() == 1);
  const auto head = world.head(capsule);
  CHECK(head.generation.seq == Sequence(1));
  REQUIRE(head.checked_out);
  CHECK(head.checked_out->host_name == "anvil");
  CHECK_FALSE(head.hibernation);
  CHECK(head.disks.at(0).chain == std::vector<std::string>{"vda/image.qcow2", "vda/cow.qcow2"});
}

TEST_CASE("a machine that is shut off is packed without a session") {
  PackWorld world;
  auto& anvil = world.anvil;
  const auto id = anvil.machine("traveller");
  const auto capsule = anvil.pack("traveller");
  CHECK(anvil.state(capsule) == "ready");
  CHECK_FALSE(world.head(capsule).checked_out);
  CHECK(world.host_is_empty());
  CHECK(anvil.guest(id)->state == GuestState::shut_off);
}

TEST_CASE("what a pack leaves behind is told with its end, each by its place") {
  PackWorld world;
  auto& anvil = world.anvil;
  anvil.machine("traveller");
  auto xml = anvil.await(anvil.hypervisor.describe("traveller"))->inactive;
  const std::string after = "</name>";
  xml.insert(xml.find(after) + after.size(), "<title>the old one</title>");
  anvil.await(anvil.hypervisor.define(xml));
  PackRequest request;
  request.domain = "traveller";
  request.device = anvil.device();
  const auto end = anvil.end_of(anvil.host().pack(request));
  CHECK(end.result == "done");
  CHECK(end.message == "domain/title: stays here");
  CHECK(anvil.log.says("traveller: domain/title: stays here"));
}

TEST_CASE("a machine that libvirt does not know is not packed") {
  PackWorld world;
  CHECK(world.pack("nobody").find("no such machine") != std::string::npos);
  CHECK(world.device_is_empty());
}

TEST_CASE("a pack that fails puts the running machine back on its own disks") {
  PackWorld world;
  auto& anvil = world.anvil;
  const auto id = anvil.machine("traveller");
  anvil.run_machine(id);
  SECTION("when its disks can't be covered") { anvil.hypervisor.fail(Call::overlay); }
  SECTION("when the device has no room") {
    anvil.stop();
    anvil.config.space.keep_free_device = ByteCount(1ULL << 60);
    anvil.start();
    REQUIRE(anvil.until([&] {
      return !anvil.host().view().devices.empty() &&
             !anvil.host().view().devices[0].mount_point.empty();
    }));
  }
  SECTION("when its disk can't be read") {
    const auto xml = anvil.await(anvil.hypervisor.describe("traveller"))->inactive;
    const auto from = xml.find("<source file='") + 14;
    std::filesystem::remove(xml.substr(from, xml.find('\'', from) - from));
  }
  CHECK(world.pack("traveller") != "done");
  CHECK(anvil.guest(id)->state == GuestState::running);
  CHECK(anvil.hypervisor.overlays(id, "vda").empty());
  CHECK(world.device_is_empty());
  CHECK(world.host_is_empty());
}

TEST_CASE(
    "an overlay that can't be merged after a failed pack is kept, for the guest has it open") {
  PackWorld world;
  auto& anvil = world.anvil;
  const auto id = anvil.machine("traveller");
  anvil.run_machine(id);
  world.pack_in_vain();
  const auto overlays = anvil.hypervisor.overlays(id, "vda");
  REQUIRE(overlays.size() == 1);
  CHECK(std::filesystem::exists(overlays[0]));
  CHECK(anvil.guest(id)->state == GuestState::running);

  // The next start of the daemon has more luck.
  anvil.stop();
  anvil.start();
  CHECK(anvil.hypervisor.overlays(id, "vda").empty());
  CHECK_FALSE(std::filesystem::exists(overlays[0]));
  CHECK(world.host_is_empty());
}

TEST_CASE("a pack whose undoing was cut short behind its merge is not merged once more") {
  PackWorld world;
  auto& anvil = world.anvil;
  const auto id = anvil.machine("traveller");
  anvil.run_machine(id);
  world.pack_in_vain();
  const auto overlay = anvil.hypervisor.overlays(id, "vda").at(0);
  anvil.stop();
  // As a daemon leaves it that is killed right after the merge.
  std::filesystem::resize_file(overlay, 1 << 20);
  anvil.await(anvil.hypervisor.merge_overlays(id, {"vda"}));
  SECTION("the guest runs") {
    anvil.start();
    CHECK_FALSE(std::filesystem::exists(overlay));
    CHECK(world.host_is_empty());
    CHECK(anvil.guest(id)->state == GuestState::running);
  }
  SECTION("the guest has ended: what it wrote since is not undone") {
    anvil.hypervisor.guest_shuts_down(id);
    std::filesystem::last_write_time(
        overlay, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    anvil.start();
    CHECK(std::filesystem::exists(overlay));
    CHECK(anvil.log.says("was written to after its overlay"));
  }
}

TEST_CASE("a pack cut short within the making of an overlay's file is undone") {
  PackWorld world;
  auto& anvil = world.anvil;
  const auto id = anvil.machine("traveller");
  anvil.run_machine(id);
  world.pack_in_vain();
  const auto overlay = anvil.hypervisor.overlays(id, "vda").at(0);
  anvil.stop();
  // As a daemon leaves it that is killed before qemu-img has written anything, and its guest on the
  // machine's own disks.
  anvil.await(anvil.hypervisor.merge_overlays(id, {"vda"}));
  std::filesystem::resize_file(overlay, 0);
  anvil.start();
  INFO(anvil.log.all());
  CHECK_FALSE(std::filesystem::exists(overlay));
  CHECK(world.host_is_empty());
  CHECK(anvil.guest(id)->state == GuestState::running);
}

TEST_CASE(
    "a pack cut short after its commit is undone, and its mark on the device guards nothing") {
  PackWorld world;
  auto& anvil = world.anvil;
  const auto id = anvil.machine("traveller");
  anvil.run_machine(id);
  const auto capsule = anvil.pack("traveller");
  anvil.stop();
  // As a daemon leaves it that is killed before it has written down that the machine is packed.
  const SessionShelf shelf(world.scratch.path() / "anvil");
  auto session = shelf.find(capsule);
  REQUIRE(session);
  session->phase = Phase::packing;
  shelf.save(*session);
  anvil.plug_only();
  anvil.start();
  REQUIRE(anvil.reaches(capsule, "ready"));
  INFO(anvil.log.all());
  CHECK(world.host_is_empty());
  CHECK(anvil.hypervisor.overlays(id, "vda").empty());
  CHECK(anvil.guest(id)->state == GuestState::running);
  CHECK(anvil.capsule(capsule)->checked_out_by.empty());

  // The machine is newer than what the device has: that is not launched in its place.
  anvil.hypervisor.guest_shuts_down(id);
  LaunchRequest request;
  request.capsule = capsule;
  const auto launched = anvil.result([&] { return anvil.host().launch(request); });
  CHECK(launched.find("another machine with its identity") != std::string::npos);
  CHECK(anvil.guest(id)->state == GuestState::shut_off);
}

TEST_CASE("undoing a pack of two disks that fails between them is gone on with where it stopped") {
  PackWorld world;
  auto& anvil = world.anvil;
  const auto id = anvil.machine("traveller", 2);
  anvil.run_machine(id);
  PackRequest request;
  request.domain = "traveller";
  request.device = anvil.device();
  const auto job = anvil.host().pack(request);
  REQUIRE(anvil.until([&] { return anvil.hypervisor.count(Call::overlay) == 1; }));
  const auto first = anvil.hypervisor.overlays(id, "vda").at(0);
  const auto second = anvil.hypervisor.overlays(id, "vdb").at(0);
  // As if the guest had written to both.
  for (const auto& each : {first, second}) std::filesystem::resize_file(each, 1 << 20);
  anvil.hypervisor.fail(Call::merge, 2);
  anvil.host().cancel(job);
  CHECK(anvil.end_of(job).result == "cancelled");
  CHECK(anvil.hypervisor.overlays(id, "vda").empty());
  CHECK_FALSE(std::filesystem::exists(first));
  CHECK(std::filesystem::exists(second));
  CHECK(world.pack("traveller").find("not yet undone") != std::string::npos);
  CHECK(anvil.guest(id)->state == GuestState::running);

  SECTION("while it still runs") {
    anvil.stop();
    anvil.start();
    CHECK(anvil.hypervisor.overlays(id, "vdb").empty());
    CHECK(anvil.guest(id)->state == GuestState::running);
    CHECK(world.host_is_empty());
  }
  SECTION("after it has ended") {
    anvil.hypervisor.guest_shuts_down(id);
    anvil.stop();
    anvil.start();
    INFO(anvil.log.all());
    CHECK_FALSE(std::filesystem::exists(second));
    CHECK(world.host_is_empty());
  }
}

TEST_CASE("a pack that is cancelled leaves nothing") {
  PackWorld world;
  auto& anvil = world.anvil;
  const auto id = anvil.machine("traveller");
  anvil.run_machine(id);
  PackRequest request;
  request.domain = "traveller";
  request.device = anvil.device();
  const auto job = anvil.host().pack(request);
  REQUIRE(anvil.until([&] { return anvil.hypervisor.count(Call::overlay) == 1; }));
  anvil.host().cancel(job);
  CHECK(anvil.end_of(job).result == "cancelled");
  CHECK(anvil.hypervisor.overlays(id, "vda").empty());
  CHECK(anvil.guest(id)->state == GuestState::running);
  CHECK(world.device_is_empty());
  CHECK(world.host_is_empty());
}

}  // namespace satchel::test
