// An earlier generation made the newest again.
#include <catch2/catch.hpp>

#include "runtime/host_world.hpp"

namespace satchel::test {

namespace {

/// At two in generation 2; launched (3), and at five in generation 4. At rest at anvil.
struct RollbackWorld : HostWorld {
  DomainId guest;
  CapsuleId capsule;

  explicit RollbackWorld(unsigned keep = 4) {
    anvil.config.generations = {keep, 0};
    anvil.start();
    anvil.plug();
    guest = anvil.machine("traveller");
    anvil.run_machine(guest);
    capsule = anvil.pack("traveller");
    tick(2);
    eject();
    launch();
    tick(3);
    eject();
  }
  ~RollbackWorld() { CHECK(anvil.breaches == std::vector<std::string>{}); }

  void tick(int times) {
    for (int i = 0; i < times; ++i) anvil.hypervisor.tick(guest);
  }
  /// To be plugged in anew afterwards.
  void eject() {
    REQUIRE(anvil.result([&] { return anvil.host().eject(capsule); }) == "done");
    anvil.pull();
    anvil.plug();
    REQUIRE(anvil.reaches(capsule, "ready"));
  }
  void launch() {
    LaunchRequest request;
    request.capsule = capsule;
    REQUIRE(anvil.result([&] { return anvil.host().launch(request); }) == "done");
  }
  std::string go_back(std::uint64_t to,
                      Commands::WhenNeeded when_needed = Commands::WhenNeeded::refuse) {
    return anvil.result([&] { return anvil.host().rollback(capsule, Sequence(to), when_needed); });
  }
  std::vector<std::uint64_t> restorable() const {
    std::vector<std::uint64_t> out;
    const auto now = anvil.capsule(capsule);
    for (const auto& each : now->history)
      if (each.restorable) out.push_back(each.seq.value);
    return out;
  }
};

}  // namespace

TEST_CASE("a machine goes back to where it was before its last session, and forth again") {
  RollbackWorld world(0);
  CHECK(world.restorable() == std::vector<std::uint64_t>{2, 3});
  REQUIRE(world.go_back(2) == "done");
  CHECK(world.anvil.state(world.capsule) == "ready");
  CHECK(world.head(world.capsule).generation.seq == Sequence(5));
  CHECK(world.head(world.capsule).history.back().what == "back to 2");
  CHECK(world.restorable() == std::vector<std::uint64_t>{2, 3, 4});  // until the next commit

  SECTION("launched, it goes on there") {
    world.launch();
    CHECK(world.anvil.counter(world.guest) == 2);
    world.tick(1);
    world.eject();
    world.launch();
    CHECK(world.anvil.counter(world.guest) == 3);
  }
  SECTION("before that, what was newest can be had again") {
    REQUIRE(world.go_back(4) == "done");
    world.launch();
    CHECK(world.anvil.counter(world.guest) == 5);
  }
}

TEST_CASE("what is not on the device can't be gone back to, and nothing is changed") {
  RollbackWorld world(0);
  const auto before = world.head(world.capsule);
  SECTION("gone") { CHECK(world.go_back(1) != "done"); }
  SECTION("never there") { CHECK(world.go_back(99) != "done"); }
  SECTION("the newest itself") { CHECK(world.go_back(4) != "done"); }
  CHECK(world.anvil.state(world.capsule) == "ready");
  CHECK_FALSE(world.anvil.detail(world.capsule).empty());
  CHECK(world.head(world.capsule) == before);
}

TEST_CASE("a machine goes back by several sessions, and forth by as many") {
  RollbackWorld world;
  for (int session = 0; session < 2; ++session) {
    world.launch();
    world.tick(1);
    world.eject();
  }
  CHECK(world.restorable() == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7});
  const auto [to, counter] = GENERATE(table<std::uint64_t, std::uint64_t>(
      {{1, 0}, {2, 2}, {3, 2}, {4, 5}, {5, 5}, {6, 6}, {7, 6}}));
  REQUIRE(world.go_back(to) == "done");
  CHECK(world.head(world.capsule).history.back().what == "back to " + std::to_string(to));
  world.launch();
  CHECK(world.anvil.counter(world.guest) == counter);
  world.tick(10);
  world.eject();
  REQUIRE(world.go_back(8) == "done");
  world.launch();
  CHECK(world.anvil.counter(world.guest) == 7);
}

TEST_CASE("of the ends of sessions as many stay as the settings say, and the oldest go") {
  RollbackWorld world(2);
  for (int session = 0; session < 3; ++session) {
    world.launch();
    world.tick(1);
    world.eject();
  }
  CHECK(world.restorable() == std::vector<std::uint64_t>{6, 7, 8, 9});
  CHECK(world.go_back(4) != "done");
  CHECK(world.anvil.log.says("What it can go back to: 6, 7, 8, 9"));
}

TEST_CASE(
    "what the machine was before a session stays however many checkpoints the session makes") {
  RollbackWorld world(1);
  world.launch();
  for (int each = 0; each < 3; ++each) {
    world.tick(1);
    REQUIRE(world.anvil.result([&] { return world.anvil.host().checkpoint(world.capsule); }) ==
            "done");
  }
  world.tick(1);
  world.eject();
  // Before the session, and the last checkpoint, which is in the other slot.
  CHECK(world.restorable() == std::vector<std::uint64_t>{4, 5, 8});
  REQUIRE(world.go_back(4) == "done");
  world.launch();
  CHECK(world.anvil.counter(world.guest) == 5);
}

TEST_CASE("a device that gets full keeps its newest two generations alone") {
  RollbackWorld world;
  world.launch();
  world.eject();
  CHECK(world.restorable().front() == 1);
  world.anvil.stop();
  world.anvil.config.generations.free_percent = 100;
  world.anvil.start();
  REQUIRE(world.anvil.reaches(world.capsule, "ready"));
  world.launch();
  world.tick(1);
  world.eject();
  CHECK(world.restorable() == std::vector<std::uint64_t>{6, 7});
}

TEST_CASE("a machine that runs does not go back") {
  RollbackWorld world;
  world.launch();
  CHECK_THROWS_AS(
      world.anvil.host().rollback(world.capsule, Sequence(2), Commands::WhenNeeded::refuse), Fault);
  CHECK(world.anvil.counter(world.guest) == 5);
}

TEST_CASE("a merge that is asked for ends the ways back, and says so") {
  RollbackWorld world;
  REQUIRE(world.anvil.result([&] {
    return world.anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
  }) == "done");
  CHECK(world.anvil.ends.back().message.find("no way back any more to what it was in generation "
                                             "1, 2, 3.") != std::string::npos);
  CHECK(world.restorable().empty());
  CHECK(world.go_back(2) != "done");
  CHECK(world.anvil.log.says("keeps no other generation"));
  world.launch();
  CHECK(world.anvil.counter(world.guest) == 5);
}

}  // namespace satchel::test
