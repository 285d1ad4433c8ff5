// Copies of a device: told apart by what a host has seen, and when two are plugged in at once.
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/error_name.hpp"
#include "base/fault.hpp"
#include "runtime/host_world.hpp"

namespace satchel::test {

namespace {

namespace fs = std::filesystem;

constexpr auto original = "/dev/fake1";
constexpr auto copy = "/dev/fake2";

/// A machine packed by anvil on the original, which is pulled; every host resumes what it may.
struct CopiesWorld : HostWorld {
  DomainId guest;
  CapsuleId capsule;

  CopiesWorld() {
    for (auto* host : {&anvil, &bellows}) host->config.on_insert = OnInsert::resume;
    anvil.start();
    bellows.start();
    anvil.plug(original);
    guest = anvil.machine("traveller");
    anvil.run_machine(guest);
    capsule = anvil.pack("traveller");
    eject(anvil);
    anvil.pull(original);
  }
  ~CopiesWorld() {
    CHECK(anvil.breaches == std::vector<std::string>{});
    CHECK(bellows.breaches == std::vector<std::string>{});
  }

  /// As a block copy is: with the same filesystem's identity.
  void make_copy() {
    fs::remove_all(device(copy));
    fs::copy(device(original), device(copy), fs::copy_options::recursive);
  }
  void eject(TestHost& host) {
    INFO(host.log.all());
    REQUIRE(host.result([&] { return host.host().eject(capsule); }) == "done");
    REQUIRE(host.reaches(capsule, "safe"));
  }
  void run_and_eject(TestHost& host, const std::string& node) {
    host.plug(node);
    REQUIRE(host.reaches(capsule, "running"));
    host.hypervisor.tick(guest);
    eject(host);
    host.pull(node);
  }
  /// A copy of the device as it was before anvil ran the machine once more.
  void plug_older_copy() {
    make_copy();
    run_and_eject(anvil, original);
    anvil.plug(copy);
    REQUIRE(anvil.reaches(capsule, "ready"));
  }
  LaunchRequest launch_this_copy() const {
    LaunchRequest request;
    request.capsule = capsule;
    request.when_lacking = LaunchRequest::Lacking::this_copy;
    return request;
  }
  std::string said_of(TestHost& host, const std::string& node) {
    std::string out = "it is not there";
    host.until([&] {
      for (const auto& each : host.host().view().devices)
        if (each.node == node) out = each.detail;
      return true;
    });
    return out;
  }
};

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("an older copy that is ejected is not merged, and the eject says so") {
  CopiesWorld world;
  auto& anvil = world.anvil;
  world.plug_older_copy();
  const auto end = anvil.end_of(anvil.host().eject(world.capsule, Commands::Layers::merge));
  CHECK(end.result == "done");
  CHECK(says(end.message, "layers are not merged"));
  CHECK(anvil.reaches(world.capsule, "safe"));
}

TEST_CASE("an older copy is recognised, waits to be told, and is the one that goes on then") {
  CopiesWorld world;
  auto& anvil = world.anvil;
  world.plug_older_copy();
  CHECK(says(anvil.detail(world.capsule), "an older copy"));
  CHECK(says(anvil.detail(world.capsule), "generation 4, left by anvil"));
  LaunchRequest plain;
  plain.capsule = world.capsule;
  CHECK_THROWS_AS(anvil.host().launch(plain), Fault);
  CHECK(anvil.result([&] { return anvil.host().launch(world.launch_this_copy()); }) == "done");
  CHECK(anvil.counter(world.guest) == 0);
  world.eject(anvil);
  anvil.pull(copy);

  // From now on the copy is the machine here, and the original the one that went on apart.
  anvil.plug(copy);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  world.eject(anvil);
  anvil.pull(copy);
  anvil.plug(original);
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  CHECK(says(anvil.detail(world.capsule), "two copies that went on apart"));
}

TEST_CASE("an earlier generation does not take a damaged one's place by itself") {
  CopiesWorld world;
  world.run_and_eject(world.anvil, original);
  const auto damaged = world.head(world.capsule).generation.seq;
  const auto heads = world.on_device(world.capsule) / "heads";
  const auto file = heads / (std::to_string(damaged.value) + ".json");
  SECTION("its head") { fs::resize_file(file, fs::file_size(file) - 1); }
  SECTION("its head is gone") { fs::remove(file); }
  SECTION("an object of it") {
    fs::remove(world.on_device(world.capsule) / world.head(world.capsule).hibernation->pages);
  }
  // It has never seen the machine: what the device says is all that it knows.
  auto& bellows = world.bellows;
  bellows.plug(original);
  INFO(bellows.log.all());
  REQUIRE(bellows.reaches(world.capsule, "ready"));
  CHECK(says(bellows.detail(world.capsule),
             "Generation " + std::to_string(damaged.value) + ", a newer one, is damaged"));
  LaunchRequest plain;
  plain.capsule = world.capsule;
  CHECK_THROWS_AS(bellows.host().launch(plain), Fault);
  auto this_copy = world.launch_this_copy();
  this_copy.when_checked_out = LaunchRequest::CheckedOut::take_over;
  // A job that fails does not make it forgotten.
  bellows.hypervisor.cpu_is_short_of = "it lacks avx512f";
  CHECK(bellows.result([&] { return bellows.host().launch(this_copy); }) != "done");
  bellows.hypervisor.cpu_is_short_of.reset();
  CHECK_THROWS_AS(bellows.host().launch(plain), Fault);
  CHECK(bellows.result([&] { return bellows.host().launch(this_copy); }) == "done");
  CHECK(bellows.counter(world.guest) == 0);
}

TEST_CASE("a launch asked for while a copy is read fails with the reason") {
  CopiesWorld world;
  auto& anvil = world.anvil;
  world.make_copy();
  world.run_and_eject(anvil, original);
  anvil.plug_only(copy);
  REQUIRE(anvil.until([&] { return anvil.state(world.capsule) == "examining"; }));
  LaunchRequest plain;
  plain.capsule = world.capsule;
  const auto end = anvil.end_of(anvil.host().launch(plain));
  CHECK(end.result == bus_error_name(Remedy::fix_request));
  CHECK(says(end.message, "generation 4, left by anvil"));
  CHECK(anvil.state(world.capsule) == "ready");
}

TEST_CASE("a copy that went on elsewhere is recognised whatever its generation's number") {
  CopiesWorld world;
  world.make_copy();
  world.run_and_eject(world.anvil, original);
  world.run_and_eject(world.bellows, copy);
  world.run_and_eject(world.bellows, copy);
  world.anvil.plug(copy);
  REQUIRE(world.anvil.reaches(world.capsule, "ready"));
  CHECK(says(world.anvil.detail(world.capsule), "generation 4, left by anvil"));
  CHECK(says(world.anvil.detail(world.capsule), "went on apart"));
}

TEST_CASE("what came after is gone on with, and a lost record warns of nothing") {
  CopiesWorld world;
  auto& anvil = world.anvil;
  world.make_copy();
  world.run_and_eject(world.bellows, original);
  world.run_and_eject(anvil, original);
  anvil.stop();
  anvil.start();
  anvil.plug(copy);
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  anvil.pull(copy);
  anvil.stop();
  REQUIRE(fs::remove_all(world.scratch.path() / "anvil" / "seen") > 0);
  anvil.start();
  anvil.plug(copy);
  CHECK(anvil.reaches(world.capsule, "running"));
}

TEST_CASE(
    "a second copy beside one that runs is left alone, told once, and read when that is gone") {
  CopiesWorld world;
  auto& anvil = world.anvil;
  world.make_copy();
  anvil.plug(original);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.plug(copy);
  CHECK(anvil.state(world.capsule) == "running");
  CHECK(says(world.said_of(anvil, copy), "a second copy of traveller, besides /dev/fake1"));
  CHECK(world.said_of(anvil, original).empty());
  CHECK(anvil.log.times("It holds a second copy of traveller") == 1);

  // Whatever becomes of the second is nothing to the first.
  for (const auto& each : anvil.host().view().devices)
    if (each.node == copy)
      CHECK(anvil.result([&] { return anvil.host().eject_device(each.number); }) == "done");
  CHECK(anvil.state(world.capsule) == "running");
  anvil.pull(copy);
  anvil.plug(copy);
  CHECK(anvil.state(world.capsule) == "running");
  anvil.hypervisor.tick(world.guest);
  world.eject(anvil);
  CHECK(world.head(world.capsule).generation.seq == Sequence(4));
  CHECK(says(world.said_of(anvil, copy), "a second copy"));

  anvil.pull(original);
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  CHECK(says(anvil.detail(world.capsule), "an older copy"));
  CHECK(world.said_of(anvil, copy).empty());
}

TEST_CASE(
    "a session goes on with a copy made while it ran, and the original is the older one then") {
  CopiesWorld world;
  auto& anvil = world.anvil;
  anvil.plug(original);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.hypervisor.tick(world.guest);
  world.make_copy();
  anvil.pull(original);
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  anvil.plug(copy);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.counter(world.guest) == 1);
  world.eject(anvil);
  anvil.pull(copy);
  anvil.plug(original);
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  CHECK(says(anvil.detail(world.capsule), "an older copy"));
  CHECK(says(anvil.capsule(world.capsule)->next_step, "take-over"));
}

TEST_CASE(
    "a session does not go on with a copy that lacks its checkpoint, though it has its mark") {
  CopiesWorld world;
  auto& anvil = world.anvil;
  anvil.plug(original);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  world.make_copy();
  anvil.hypervisor.tick(world.guest);
  REQUIRE(anvil.result([&] { return anvil.host().checkpoint(world.capsule); }) == "done");
  anvil.pull(original);
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  anvil.plug(copy);
  REQUIRE(anvil.reaches(world.capsule, "diverged"));
  CHECK(says(anvil.capsule(world.capsule)->next_step, "Plug in the device that"));
  CHECK(anvil.has_session(world.capsule));
  anvil.pull(copy);
  anvil.plug(original);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.counter(world.guest) == 1);
  world.eject(anvil);
}

TEST_CASE("a machine is not ejected to a device that has lost its checkpoint") {
  CopiesWorld world;
  auto& anvil = world.anvil;
  anvil.plug(original);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.hypervisor.tick(world.guest);
  REQUIRE(anvil.result([&] { return anvil.host().checkpoint(world.capsule); }) == "done");
  const auto made = world.head(world.capsule).generation.seq.value;
  const auto head = world.on_device(world.capsule) / "heads" / (std::to_string(made) + ".json");
  const auto layer =
      world.on_device(world.capsule) / "vda" / ("layer-" + std::to_string(made) + ".qcow2");
  REQUIRE(fs::exists(layer));
  fs::rename(head, world.scratch.path() / "head");
  const auto said = anvil.result([&] { return anvil.host().eject(world.capsule); });
  CHECK(says(said, "goes on from generation " + std::to_string(made)));
  CHECK(anvil.state(world.capsule) == "running");
  CHECK(anvil.guest(world.guest)->state == GuestState::running);
  CHECK(fs::exists(layer));
  fs::rename(world.scratch.path() / "head", head);
  world.eject(anvil);
}

TEST_CASE("a copy made before a checkpoint whose layers were merged is not the session's own") {
  CopiesWorld world;
  auto& anvil = world.anvil;
  anvil.plug(original);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  world.make_copy();
  anvil.hypervisor.tick(world.guest);
  REQUIRE(anvil.result([&] { return anvil.host().checkpoint(world.capsule); }) == "done");
  const auto merging = Commands::WhenNeeded::refuse;
  REQUIRE(anvil.result([&] { return anvil.host().merge(world.capsule, merging); }) == "done");
  CHECK(world.head(world.capsule).disks.at(0).chain.size() == 2);
  anvil.pull(original);
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  anvil.plug(copy);
  REQUIRE(anvil.reaches(world.capsule, "diverged"));
  anvil.pull(copy);
  anvil.plug(original);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.counter(world.guest) == 1);
}

TEST_CASE("a session whose device comes back beside a copy made before it waits for its own") {
  CopiesWorld world;
  auto& anvil = world.anvil;
  world.make_copy();
  anvil.plug(original);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  anvil.pull(original);
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  anvil.wait_for_jobs();
  anvil.plug(copy);
  REQUIRE(anvil.reaches(world.capsule, "diverged"));
  CHECK(says(anvil.detail(world.capsule), "The device is an older copy"));
  anvil.plug(original);
  CHECK(anvil.state(world.capsule) == "diverged");
  CHECK(says(world.said_of(anvil, original), "a second copy"));
  anvil.pull(copy);
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(anvil.has_session(world.capsule));
}

}  // namespace satchel::test
