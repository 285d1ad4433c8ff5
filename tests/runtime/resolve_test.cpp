// A machine whose device was pulled and went on elsewhere: every choice, and that nothing goes
// before one is made.
#include <catch2/catch.hpp>
#include <fstream>
#include <functional>

#include "fakes/fake_save_image.hpp"
#include "runtime/host_world.hpp"
#include "runtime/session_export.hpp"

namespace satchel::test {

namespace {

namespace fs = std::filesystem;

/// Ejected by anvil at two, launched there again, pulled at three; taken over by bellows, which
/// left it at four; plugged in at anvil again.
struct DivergedWorld : HostWorld {
  DomainId guest;
  CapsuleId capsule;
  fs::path to = scratch.path() / "out";

  explicit DivergedWorld(const std::function<void(DivergedWorld&)>& before_the_pull =
                             [](DivergedWorld&) {}) {
    anvil.start();
    anvil.plug();
    guest = anvil.machine("traveller");
    anvil.run_machine(guest);
    capsule = anvil.pack("traveller");
    tick(anvil, 2);
    REQUIRE(anvil.result([&] { return anvil.host().eject(capsule); }) == "done");
    anvil.pull();
    anvil.plug();
    REQUIRE(anvil.reaches(capsule, "ready"));
    REQUIRE(launch(anvil, capsule, LaunchRequest::CheckedOut::refuse) == "done");
    tick(anvil, 1);
    before_the_pull(*this);
    anvil.pull();
    REQUIRE(anvil.until([&] { return anvil.state(capsule) == "stranded" && !busy(anvil); }));
    bellows.start();
    bellows.plug();
    REQUIRE(bellows.reaches(capsule, "ready"));
    REQUIRE(launch(bellows, capsule, LaunchRequest::CheckedOut::take_over) == "done");
    tick(bellows, 2);
    REQUIRE(bellows.result([&] { return bellows.host().eject(capsule); }) == "done");
  }
  ~DivergedWorld() { CHECK(anvil.breaches == std::vector<std::string>{}); }

  void come_back() {
    bellows.pull();
    anvil.plug();
    INFO(anvil.log.all());
    REQUIRE(anvil.reaches(capsule, "diverged"));
  }
  static bool busy(TestHost& host) { return !host.host().view().running_jobs.empty(); }
  void tick(TestHost& host, int times) {
    for (int i = 0; i < times; ++i) host.hypervisor.tick(guest);
  }
  static std::string launch(TestHost& host, CapsuleId what, LaunchRequest::CheckedOut how) {
    LaunchRequest request;
    request.capsule = what;
    request.when_checked_out = how;
    return host.result([&] { return host.host().launch(request); });
  }
  std::string choose(const std::string& choice) {
    return anvil.result([&] { return anvil.host().resolve(capsule, choice); });
  }
  ExportRequest export_of_ours() const { return export_of_session(capsule, to); }
  std::string export_ours() {
    return anvil.result([&] { return anvil.host().export_to(export_of_ours()); });
  }
  /// The other capsule of the device; none when there is only one.
  std::optional<CapsuleView> other() const {
    for (const auto& each : const_cast<DivergedWorld*>(this)->anvil.host().view().capsules)
      if (each.id != capsule) return each;
    return std::nullopt;
  }
  /// As the device has it: at four, and nothing of ours is left.
  void check_that_the_devices_goes_on() {
    CHECK(anvil.state(capsule) == "ready");
    REQUIRE(anvil.until([&] { return !anvil.has_session(capsule); }));
    CHECK(launch(anvil, capsule, LaunchRequest::CheckedOut::refuse) == "done");
    CHECK(anvil.counter(guest) == 4);
  }
  void check_that_both_are_kept() {
    INFO(anvil.log.all());
    CHECK(anvil.state(capsule) == "diverged");
    CHECK(anvil.has_session(capsule));
    CHECK(read_fake_save(anvil.session_directory(capsule) / "guest.save").counter == 3);
    CHECK(head(capsule).generation.host_name == "bellows");
    CHECK_FALSE(other());
  }
};

void flip_first_byte(const fs::path& file) {
  std::fstream change(file, std::ios::in | std::ios::out | std::ios::binary);
  const auto byte = static_cast<char>(change.peek());
  change.seekp(0);
  change.put(static_cast<char>(~byte));
}

}  // namespace

TEST_CASE("kept beside, this computer's session is a machine of its own on the device") {
  DivergedWorld world;
  world.come_back();
  REQUIRE(world.choose("keep-both") == "done");
  INFO(world.anvil.log.all());
  CHECK(world.anvil.state(world.capsule) == "ready");
  REQUIRE(world.anvil.until([&] { return !world.anvil.has_session(world.capsule); }));
  const auto other = world.other();
  REQUIRE(other);
  CHECK(other->name == "traveller from anvil");
  CHECK(other->state == "ready");
  CHECK(other->has_memory);
  CHECK(world.head(other->id).history.back().what == "keep both");

  SECTION("that goes on where it was") {
    REQUIRE(DivergedWorld::launch(world.anvil, other->id, LaunchRequest::CheckedOut::refuse) ==
            "done");
    CHECK(world.anvil.counter(world.guest) == 3);
  }
  SECTION("and the device's goes on where that was") { world.check_that_the_devices_goes_on(); }
}

TEST_CASE("exported, this computer's session is plain files and the device's machine goes on") {
  DivergedWorld world;
  world.come_back();
  REQUIRE(world.export_ours() == "done");
  CHECK(read_fake_save(world.to / "guest.save").counter == 3);
  CHECK(fs::exists(world.to / "vda.qcow2"));
  CHECK_FALSE(world.other());
  world.check_that_the_devices_goes_on();
}

TEST_CASE("this computer's session is given up only by a choice that says so") {
  DivergedWorld world;
  world.come_back();
  world.check_that_both_are_kept();
  SECTION("discarded") {
    REQUIRE(world.choose("discard-ours") == "done");
    world.check_that_the_devices_goes_on();
  }
  SECTION("the device's is launched") {
    REQUIRE(world.choose("continue-device") == "done");
    REQUIRE(world.anvil.reaches(world.capsule, "running"));
    CHECK(world.anvil.counter(world.guest) == 4);
  }
  SECTION("no such choice") {
    CHECK_THROWS_AS(world.choose("flip a coin"), Fault);
    CHECK_THROWS_AS(world.choose("export-ours"), Fault);  // where to?
    world.check_that_both_are_kept();
  }
  SECTION("an export that can't be made") {
    auto request = world.export_of_ours();
    fs::create_directory(world.to / "in the way");
    CHECK(world.anvil.result([&] { return world.anvil.host().export_to(std::move(request)); }) !=
          "done");
    world.check_that_both_are_kept();
  }
}

TEST_CASE("while the device is away, what is kept here can be discarded") {
  DivergedWorld world;
  CHECK_THROWS_AS(world.choose("keep-both"), Fault);
  CHECK(world.anvil.has_session(world.capsule));
  REQUIRE(world.choose("discard-ours") == "done");
  REQUIRE(world.anvil.until([&] { return !world.anvil.has_session(world.capsule); }));
  CHECK(world.anvil.state(world.capsule) == "absent");
}

TEST_CASE("a session whose base was merged away by force is refused and stays") {
  DivergedWorld world;
  world.bellows.pull();
  world.bellows.plug();
  REQUIRE(world.bellows.reaches(world.capsule, "ready"));
  CHECK_THROWS_AS(world.bellows.host().merge(world.capsule, Commands::WhenNeeded::refuse), Fault);
  REQUIRE(world.bellows.result([&] {
    return world.bellows.host().merge(world.capsule, Commands::WhenNeeded::go_on);
  }) == "done");
  world.come_back();
  CHECK(world.choose("keep-both") != "done");
  CHECK(world.anvil.detail(world.capsule).find("merged the files") != std::string::npos);
  world.check_that_both_are_kept();
}

TEST_CASE("a merge of its own that was cut short keeps no session from being kept") {
  DivergedWorld world([](DivergedWorld& at) {
    const auto journal = at.anvil.session_directory(at.capsule) / "journal";
    fs::copy(journal, at.scratch.path() / "journal");
    // It begins, and its last commit fails.
    const auto last = at.head(at.capsule).generation.seq.value + 2;
    const auto head = at.on_device(at.capsule) / "heads" / (std::to_string(last) + ".json");
    fs::create_directories(head / "in the way");
    REQUIRE(at.anvil.result([&] {
      return at.anvil.host().merge(at.capsule, Commands::WhenNeeded::refuse);
    }) != "done");
    fs::remove_all(head);
    CHECK(at.head(at.capsule).history.back().what == "merge begun");
    // As when the device had gone with it.
    fs::copy(at.scratch.path() / "journal", journal, fs::copy_options::overwrite_existing);
  });
  world.come_back();
  CHECK(world.choose("keep-both") == "done");
  INFO(world.anvil.log.all());
  CHECK(world.other());
}

}  // namespace satchel::test
