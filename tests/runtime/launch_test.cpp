// Launching: whatever fails is undone, and the next launch has every chance.
#include <catch2/catch.hpp>
#include <fstream>

#include "runtime/findings.hpp"
#include "runtime/running_world.hpp"

namespace satchel::test {

namespace {

using Call = FakeHypervisor::Call;

/// A machine that counted to two, ejected by anvil and plugged in at bellows.
struct LaunchWorld : RunningWorld {
  LaunchWorld() : RunningWorld(2) {
    REQUIRE(anvil.result([&] { return anvil.host().eject(capsule); }) == "done");
    anvil.pull();
    bellows.start();
    bellows.plug();
    REQUIRE(bellows.reaches(capsule, "ready"));
  }
  ~LaunchWorld() { CHECK(bellows.breaches == std::vector<std::string>{}); }

  JobId begin() {
    LaunchRequest request;
    request.capsule = capsule;
    return bellows.host().launch(request);
  }
  std::string launch() {
    return bellows.result([&] { return begin(); });
  }
  void check_that_it_is_undone() {
    INFO(bellows.log.all());
    CHECK(bellows.state(capsule) == "ready");
    CHECK_FALSE(bellows.guest(guest));
    CHECK_FALSE(bellows.has_session(capsule));
    CHECK_FALSE(head(capsule).checked_out);
  }
  void check_that_it_launches() {
    INFO(bellows.log.all());
    CHECK(launch() == "done");
    CHECK(bellows.state(capsule) == "running");
    CHECK(bellows.counter(guest) == 2);
    CHECK(head(capsule).checked_out);
  }
  /// Changes one byte in the middle of a file on the device.
  void damage(const std::string& object) {
    const auto path = on_device(capsule) / object;
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(path) / 2);
    file.seekg(middle);
    const char byte = static_cast<char>(file.get() ^ 0x40);
    file.seekp(middle);
    file.put(byte);
  }
};

}  // namespace

TEST_CASE("a launch that fails is undone, and the next one succeeds") {
  LaunchWorld world;
  auto& hypervisor = world.bellows.hypervisor;
  SECTION("at the definition") { hypervisor.fail(Call::define); }
  SECTION("at lending the files") { hypervisor.fail(Call::lend); }
  SECTION("at the restore") { hypervisor.fail(Call::restore); }
  SECTION("at the resume") { hypervisor.fail(Call::resume); }
  SECTION("where this computer can't note that it never ran") {
    std::ofstream(world.scratch.path() / "bellows" / "unrun") << "in the place of a directory";
    hypervisor.fail(Call::resume);
  }
  CHECK(world.launch() != "done");
  world.check_that_it_is_undone();
  world.check_that_it_launches();
}

TEST_CASE("a clock that can't be set is told of and stops no launch") {
  LaunchWorld world;
  world.bellows.hypervisor.fail(Call::set_time);
  world.check_that_it_launches();
  CHECK(world.bellows.log.says("stands where it was saved"));
}

TEST_CASE(
    "a damaged hibernation file never resumes, and the machine can still boot from its disks") {
  LaunchWorld world;
  SECTION("a block of its pages") { world.damage("memory/2.pages"); }
  SECTION("its map") { world.damage("memory/2.map"); }
  CHECK(world.launch() != "done");
  world.check_that_it_is_undone();
  CHECK(world.bellows.hypervisor.count(Call::resume) == 0);
  LaunchRequest request;
  request.capsule = world.capsule;
  request.memory = LaunchRequest::Memory::start_fresh;
  CHECK(world.bellows.result([&] { return world.bellows.host().launch(request); }) == "done");
  CHECK(world.bellows.guest(world.guest)->state == GuestState::running);
}

TEST_CASE("an overlay that can't be made undoes the launch before the device is touched") {
  LaunchWorld world;
  const std::string path = std::getenv("PATH");
  setenv("PATH", "/without/qemu-img", 1);
  CHECK(world.launch() != "done");
  setenv("PATH", path.c_str(), 1);
  world.check_that_it_is_undone();
  CHECK(world.head(world.capsule).generation.seq == Sequence(2));
  world.check_that_it_launches();
}

TEST_CASE("a check-out that can't be written undoes the launch") {
  LaunchWorld world;
  const auto blocked = world.on_device(world.capsule) / "heads" / "3.json";
  std::filesystem::create_directories(blocked / "in the way");
  CHECK(world.launch() != "done");
  world.check_that_it_is_undone();
  std::filesystem::remove_all(blocked);
  world.check_that_it_launches();
}

TEST_CASE("a launch that this computer can't do touches nothing") {
  LaunchWorld world;
  auto& hypervisor = world.bellows.hypervisor;
  SECTION("for its processor") { hypervisor.cpu_is_short_of = "it lacks avx512f"; }
  SECTION("for its memory") { hypervisor.abilities.free_memory = ByteCount(1 << 20); }
  SECTION("for its machine types") { hypervisor.abilities.machine_types = {"q35"}; }
  CHECK(world.launch() != "done");
  world.check_that_it_is_undone();
  CHECK(world.head(world.capsule).generation.seq == Sequence(2));
  CHECK(hypervisor.count(Call::define) == 0);
}

TEST_CASE("a card is put on a network only where that network is up") {
  HostWorld world;
  auto& anvil = world.anvil;
  anvil.config.networks.map = {{"office", "bridged"}};
  anvil.start();
  anvil.plug();
  const auto id = anvil.machine("traveller");
  auto xml = anvil.await(anvil.hypervisor.describe("traveller"))->inactive;
  const auto card = [](const char* mac, const char* network, const char* slot) {
    return std::string("<interface type='network'><mac address='52:54:00:00:00:0") + mac +
           "'/><source network='" + network +
           "'/><model type='e1000'/><address type='pci' domain='0x0000' bus='0x00' slot='0x0" +
           slot + "' function='0x0'/></interface>";
  };
  xml.insert(xml.find("</devices>"), card("1", "office", "6") + card("2", "elsewhere", "7"));
  anvil.await(anvil.hypervisor.define(xml));
  LaunchRequest request;
  request.capsule = anvil.pack("traveller");
  const auto networks = [&](std::vector<std::string> up) {
    anvil.hypervisor.abilities.networks = std::move(up);
    CHECK(anvil.result([&] { return anvil.host().launch(request); }) == "done");
    const auto live = anvil.await(anvil.hypervisor.describe(id.value.str()))->live;
    std::vector<std::string> found;
    for (const auto* network : {"\"user\"", "network=\"bridged\"", "network=\"default\""})
      for (auto at = live.find(network); at != std::string::npos; at = live.find(network, at + 1))
        found.emplace_back(network);
    return found;
  };
  using Networks = std::vector<std::string>;
  SECTION("none") { CHECK(networks({}) == Networks{"\"user\"", "\"user\""}); }
  SECTION("the default one") {
    CHECK(networks({"default"}) == Networks{"\"user\"", "network=\"default\""});
  }
  SECTION("both") {
    CHECK(networks({"bridged", "default"}) ==
          Networks{"network=\"bridged\"", "network=\"default\""});
  }
}

TEST_CASE(
    "a resumed machine whose network is not up is told to be unplugged, and is not for good") {
  HostWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.abilities.networks = {"default"};
  anvil.config.on_insert = OnInsert::ask;
  anvil.start();
  anvil.plug();
  const auto id = anvil.machine("traveller");
  auto xml = anvil.await(anvil.hypervisor.describe("traveller"))->inactive;
  xml.insert(xml.find("</devices>"),
             "<interface type='network'><mac address='52:54:00:00:00:01'/><source "
             "network='default'/><model type='virtio'/><address type='pci' domain='0x0000' "
             "bus='0x00' slot='0x06' function='0x0'/></interface>");
  anvil.await(anvil.hypervisor.define(xml));
  anvil.run_machine(id);
  LaunchRequest request;
  request.capsule = anvil.pack("traveller");
  const auto goes_on = [&](std::vector<std::string> up) {
    CHECK(anvil.result([&] { return anvil.host().eject(request.capsule); }) == "done");
    anvil.pull();
    anvil.hypervisor.abilities.networks = std::move(up);
    anvil.plug();
    REQUIRE(anvil.reaches(request.capsule, "ready"));
    const auto end = anvil.end_of(anvil.host().launch(request));
    CHECK(end.result == "done");
    const auto live = anvil.await(anvil.hypervisor.describe(id.value.str()))->live;
    const bool down = live.find("<link state=\"down\"") != std::string::npos;
    CHECK(down == (end.message.find("52:54:00:00:00:01 is unplugged") != std::string::npos));
    return down;
  };
  CHECK_FALSE(goes_on({"default"}));
  CHECK(goes_on({}));
  CHECK(anvil.log.says("virsh net-start default"));
  CHECK_FALSE(goes_on({"default"}));
}

TEST_CASE("doctor says that the network is not active which machines' cards are for") {
  HostWorld world;
  auto& anvil = world.anvil;
  auto& abilities = anvil.hypervisor.abilities;
  abilities.networks = {"other"};
  const auto found = [&] { return anvil.await(network_is_active(anvil.hypervisor, anvil.config)); };
  CHECK(found().verdict == Finding::Verdict::warning);
  CHECK(found().remedy.find("virsh net-start default") != std::string::npos);
  abilities.networks = {"other", "default"};
  CHECK(found().verdict == Finding::Verdict::good);
  abilities.networks.clear();
  abilities.uri = "qemu:///embed?root=/x";
  CHECK(found().verdict == Finding::Verdict::good);
}

TEST_CASE("machines that are launched at the same time are not promised the same memory") {
  HostWorld world;
  auto& anvil = world.anvil;
  anvil.start();
  anvil.plug();
  std::vector<CapsuleId> capsules;
  for (const auto* name : {"first", "second"}) {
    anvil.machine(name);
    capsules.push_back(anvil.pack(name));
  }
  anvil.hypervisor.abilities.free_memory = mebibytes(100);  // each needs 64
  std::vector<JobId> jobs;
  for (const auto& capsule : capsules) {
    LaunchRequest request;
    request.capsule = capsule;
    jobs.push_back(anvil.host().launch(request));
  }
  std::vector<JobEnd> done;
  std::vector<JobEnd> refused;
  for (const auto& job : jobs) {
    auto end = anvil.end_of(job);
    (end.result == "done" ? done : refused).push_back(std::move(end));
  }
  INFO(anvil.log.all());
  CHECK(done.size() == 1);
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].message.find("36.0 MiB are free") != std::string::npos);
  // The one that runs has its memory: what libvirt says counts again.
  for (const auto& capsule : capsules)
    if (anvil.state(capsule) == "ready") {
      LaunchRequest request;
      request.capsule = capsule;
      CHECK(anvil.result([&] { return anvil.host().launch(request); }) == "done");
    }
  CHECK(anvil.breaches == std::vector<std::string>{});
}

TEST_CASE("a launch that is cancelled is undone") {
  LaunchWorld world;
  const auto job = world.begin();
  world.bellows.host().cancel(job);
  CHECK(world.bellows.end_of(job).result == "cancelled");
  world.check_that_it_is_undone();
  world.check_that_it_launches();
}

TEST_CASE("the device gone while launching leaves no half machine here") {
  LaunchWorld world;
  const auto job = world.begin();
  REQUIRE(world.bellows.until([&] { return world.bellows.hypervisor.count(Call::define) > 0; }));
  world.bellows.pull();
  world.bellows.end_of(job);
  world.bellows.wait_for_jobs();
  INFO(world.bellows.log.all());
  const auto state = world.bellows.state(world.capsule);
  CHECK((state == "absent" || state == "stranded"));
  if (state == "absent") {
    CHECK_FALSE(world.bellows.guest(world.guest));
    CHECK(world.bellows.until([&] { return !world.bellows.has_session(world.capsule); }));
  }
}

TEST_CASE("a launch that a pull cut short begins again when the device is back") {
  LaunchWorld world;
  auto& bellows = world.bellows;
  bellows.hypervisor.fail(Call::restore);
  const auto job = world.begin();
  REQUIRE(bellows.until([&] { return bellows.hypervisor.count(Call::define) > 0; }));
  bellows.pull();
  CHECK(bellows.end_of(job).result != "done");
  bellows.wait_for_jobs();
  SECTION("at once") {}
  SECTION("with another daemon") {
    bellows.stop();
    bellows.start();
  }
  bellows.plug();
  REQUIRE(bellows.reaches(world.capsule, "ready"));
  INFO(bellows.log.all());
  CHECK(bellows.capsule(world.capsule)->checked_out_by.empty());
  world.check_that_it_launches();
}

TEST_CASE("a capsule that another computer has out is launched only by taking over") {
  LaunchWorld world;
  world.check_that_it_launches();
  world.bellows.pull();
  world.anvil.plug();
  REQUIRE(world.anvil.reaches(world.capsule, "ready"));
  LaunchRequest request;
  request.capsule = world.capsule;
  CHECK_THROWS_AS(world.anvil.host().launch(request), Fault);
  request.when_checked_out = LaunchRequest::CheckedOut::take_over;
  CHECK(world.anvil.result([&] { return world.anvil.host().launch(request); }) == "done");
  CHECK(world.anvil.counter(world.guest) == 2);
}

TEST_CASE("a fresh start boots the disks and leaves the memory behind") {
  LaunchWorld world;
  LaunchRequest request;
  request.capsule = world.capsule;
  request.memory = LaunchRequest::Memory::start_fresh;
  CHECK(world.bellows.result([&] { return world.bellows.host().launch(request); }) == "done");
  CHECK(world.bellows.hypervisor.count(Call::restore) == 0);
  CHECK(world.bellows.counter(world.guest) == 0);
}

TEST_CASE("a commit record that can't be read is not taken for another computer's work") {
  LaunchWorld world;
  world.check_that_it_launches();
  auto& bellows = world.bellows;
  const auto eject = [&] { return bellows.end_of(bellows.host().eject(world.capsule)); };
  world.damage("slots/0");
  const auto refused = eject();
  CHECK(refused.message.find("Commit record 0 is torn") != std::string::npos);
  CHECK(refused.message.find("histories") == std::string::npos);
  CHECK(bellows.state(world.capsule) == "running");
  world.damage("slots/0");  // as it was
  CHECK(eject().result == "done");
}

}  // namespace satchel::test
