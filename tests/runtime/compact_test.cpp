// The memory on the device is written anew, in the background: it stays what it was, and nobody
// waits for that.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "fakes/fake_memory.hpp"
#include "runtime/running_world.hpp"

namespace satchel::test {

namespace {

using Segments = std::vector<std::string>;

/// A machine that went in and out with another third of its memory changed each time: of the first
/// segment less than half is needed, and nothing is stored as a difference to it. On its device in
/// nobody's port.
struct WornWorld : RunningWorld {
  /// `due`: anvil's setting from now on.
  explicit WornWorld(ByteCount due, ByteCount rate = ByteCount())
      : RunningWorld(1, [&](HostWorld& world) {
          for (auto* host : {&world.anvil, &world.bellows}) {
            host->hypervisor.stream_bytes = stream_with_memory;
            host->config.cache.memory = ByteCount();
            host->config.compact.size = ByteCount();
            host->config.merge.layers = 0;
            host->config.generations = {0, 0};
          }
        }) {
    for (int session = 0; session < 3; ++session) {
      if (session > 0) tick(anvil);
      REQUIRE(eject() == "done");
      anvil.pull();
      if (session == 2) break;
      anvil.plug();
      REQUIRE(anvil.reaches(capsule, "ready"));
      launch(anvil);
    }
    anvil.stop();
    anvil.config.compact.size = due;
    anvil.config.merge.rate = rate;
    anvil.start();
  }

  void launch(TestHost& host) const {
    LaunchRequest request;
    request.capsule = capsule;
    INFO(host.log.all());
    REQUIRE(host.result([&] { return host.host().launch(request); }) == "done");
  }
  std::string compact(TestHost& host) {
    return host.result([&] { return host.host().compact(capsule, Commands::WhenNeeded::refuse); });
  }
  std::string last() const { return head(capsule).history.back().what; }
  Segments segments() const { return *head(capsule).hibernation->segments; }
  ByteCount size_of(const std::string& object) const { return head(capsule).find(object)->size; }
  std::size_t files_of_memory() const {
    std::size_t count = 0;
    for (const auto& each : std::filesystem::directory_iterator(on_device(capsule) / "memory"))
      count += each.is_regular_file() ? 1 : 0;
    return count;
  }
  void check_that_it_goes_on_at_bellows() {
    anvil.pull();
    bellows.start();
    bellows.plug();
    REQUIRE(bellows.reaches(capsule, "ready"));
    launch(bellows);
    CHECK(bellows.counter(guest) == 3);
    CHECK(bellows.result([&] { return bellows.host().verify(capsule); }) == "done");
  }
};

constexpr auto at_once = ByteCount(1);
constexpr auto never = ByteCount();
/// Bytes a second: what has begun does not end by itself.
constexpr auto crawling = ByteCount(1);

}  // namespace

TEST_CASE("worn memory is compacted at rest by itself, once, and an eject has nothing of it") {
  WornWorld world(at_once);
  const auto before = world.segments();
  REQUIRE(before.size() == 2);
  world.anvil.plug();
  INFO(world.anvil.log.all());
  REQUIRE(world.anvil.until([&] { return world.last() == "compact"; }));
  REQUIRE(world.anvil.reaches(world.capsule, "ready"));
  world.anvil.wait_for_jobs();
  CHECK(world.last() == "compact");
  const auto first = before.front();
  CHECK(std::ranges::count(world.segments(), first) == 0);
  world.launch(world.anvil);
  CHECK(world.anvil.counter(world.guest) == 3);
  CHECK(world.eject() == "done");
  CHECK(world.size_of(world.head(world.capsule).hibernation->pages) < ByteCount(200));
  world.check_that_it_goes_on_at_bellows();
}

TEST_CASE("worn memory is compacted beside a machine that runs, once it was read there") {
  WornWorld world(at_once);
  auto& bellows = world.bellows;
  bellows.config.compact.size = at_once;
  bellows.config.merge.rate = ByteCount();
  bellows.config.on_insert = OnInsert::resume;
  bellows.start();
  bellows.plug();
  INFO(bellows.log.all());
  REQUIRE(bellows.until([&] { return world.last() == "compact"; }));
  REQUIRE(bellows.reaches(world.capsule, "running"));
  bellows.wait_for_jobs();
  CHECK(bellows.counter(world.guest) == 3);
  CHECK(world.head(world.capsule).checked_out);
  REQUIRE(bellows.until([&] { return !bellows.is_checking(world.capsule); }));
  bellows.hypervisor.tick(world.guest);
  CHECK(bellows.result([&] { return bellows.host().eject(world.capsule); }) == "done");
  CHECK_FALSE(bellows.log.says("stored anew"));
  bellows.pull();
  world.anvil.plug();
  world.launch(world.anvil);
  CHECK(world.anvil.counter(world.guest) == 4);
}

TEST_CASE("by hand all of the memory is written into one file, and what was before goes") {
  WornWorld world(never);
  const auto before = world.segments();
  world.anvil.plug();
  REQUIRE(world.anvil.reaches(world.capsule, "ready"));
  SECTION("at rest") {}
  SECTION("beside a machine that runs") { world.launch(world.anvil); }
  INFO(world.anvil.log.all());
  const auto mark = world.head(world.capsule).checked_out.has_value();
  CHECK(world.compact(world.anvil) == "done");
  CHECK(world.last() == "compact");
  CHECK(world.segments() == Segments{});
  CHECK(world.head(world.capsule).checked_out.has_value() == mark);
  const auto again = world.anvil.host().compact(world.capsule, Commands::WhenNeeded::refuse);
  CHECK(world.anvil.end_of(again).message == "There was nothing to compact.");
  if (!mark) world.launch(world.anvil);
  CHECK(world.eject() == "done");
  CHECK(world.segments().size() == 1);
  CHECK(world.size_of(world.head(world.capsule).hibernation->pages) < ByteCount(200));
  for (const auto& each : before)
    CHECK_FALSE(std::filesystem::exists(world.on_device(world.capsule) / each));
  world.check_that_it_goes_on_at_bellows();
}

TEST_CASE("an eject, a launch and a pull end a compaction, and nothing of it is left") {
  WornWorld world(at_once, crawling);
  auto& anvil = world.anvil;
  const auto files = world.files_of_memory();
  anvil.plug_only();
  INFO(anvil.log.all());
  REQUIRE(anvil.reaches(world.capsule, "compacting"));
  SECTION("a launch at rest") {
    world.launch(anvil);
    CHECK(anvil.counter(world.guest) == 3);
    CHECK(world.files_of_memory() == files);
    CHECK(world.eject() == "done");
    world.check_that_it_goes_on_at_bellows();
  }
  SECTION("an eject") {
    CHECK(anvil.end_of(anvil.host().eject(world.capsule)).result == "done");
    CHECK(world.last() != "compact");
    CHECK(world.files_of_memory() == files);
    world.check_that_it_goes_on_at_bellows();
  }
  SECTION("a pull") {
    anvil.pull();
    REQUIRE(anvil.reaches(world.capsule, "absent"));
    anvil.wait_for_jobs();
    world.check_that_it_goes_on_at_bellows();
  }
  SECTION("whoever asked for it") {
    const auto job = anvil.capsule(world.capsule)->job.value();
    anvil.host().cancel(job);
    CHECK(anvil.end_of(job).result == "cancelled");
    CHECK(anvil.state(world.capsule) == "ready");
    CHECK(world.files_of_memory() == files);
  }
}

TEST_CASE("damaged memory is not written anew as if it were right") {
  WornWorld world(never);
  const auto pages = world.segments().front();
  std::fstream file(world.on_device(world.capsule) / pages,
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(20);
  file.put('\xff');
  file.close();
  world.anvil.plug();
  REQUIRE(world.anvil.reaches(world.capsule, "ready"));
  const auto before = world.head(world.capsule).generation;
  const auto end =
      world.anvil.end_of(world.anvil.host().compact(world.capsule, Commands::WhenNeeded::refuse));
  INFO(end.message);
  CHECK(end.result != "done");
  CHECK(world.head(world.capsule).generation.id == before.id);
}

}  // namespace satchel::test
