// Syncs beside the host's other work, with a worker that only says how it went when it is let.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>

#include "runtime/upkeep_world.hpp"
#include "sync/worker_words.hpp"

namespace satchel::test {

namespace {

const std::string target = "/home/ann/Documents";

void small_cow(Config& config) { config.fold.cow_limit = {CowLimit::Of::bytes, 1}; }

/// Anvil, its home, has one folder of the machine to sync.
struct SyncWorld : UpkeepWorld {
  explicit SyncWorld(std::function<void(Config&)> adjust = [](Config&) {})
      : UpkeepWorld(2, std::move(adjust)) {
    anvil.config.capsules[capsule].sync = {{"vda:/Documents", target, "ann", 30}};
    REQUIRE(::mkfifo(gate().c_str(), 0600) == 0);
    answers(std::nullopt);
    anvil.sync_worker = {"sh", "-c", "echo >>" + runs_file() + "; cat " + answer()};
  }

  /// From now on the worker waits for go_on().
  void hold() {
    gate_.reset(::open(gate().c_str(), O_RDWR | O_CLOEXEC));
    anvil.sync_worker.back() =
        "echo >>" + runs_file() + "; read x <" + gate() + "; cat " + answer();
  }
  void go_on() { REQUIRE(::write(gate_.get(), "\n", 1) == 1); }
  /// What every run ends with.
  void answers(std::optional<Fault> fault) {
    sync::RuleEnd end{"vda:/Documents", target, {}, 0, std::move(fault)};
    std::ofstream(answer()) << sync::to_json(sync::WorkNews(std::move(end))) << "\n";
  }
  std::size_t runs() const {
    std::ifstream lines(runs_file());
    return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(lines), {}, '\n'));
  }
  JobId begin() {
    return anvil.host().sync(SyncRequest{capsule, sync::Extent::whole, sync::Emptiness::refused});
  }
  void await_run(std::size_t number = 1) {
    REQUIRE(anvil.until([&] { return runs() == number; }));
  }
  void plug() {
    anvil.start();
    anvil.plug_only();  // a sync that begins by itself may be held
    REQUIRE(anvil.reaches(capsule, "ready"));
  }

 private:
  std::string gate() const { return (scratch.path() / "gate").string(); }
  std::string answer() const { return (scratch.path() / "answer").string(); }
  std::string runs_file() const { return (scratch.path() / "runs").string(); }
  UniqueFd gate_;
};

std::string refusal_of(const std::function<void()>& asked) {
  try {
    asked();
  } catch (const Fault& refused) {
    return std::string(refused.what()) + " " + refused.next_step();
  }
  return {};
}

}  // namespace

TEST_CASE("while a sync reads the device no merge and no fold begins") {
  SyncWorld world;
  world.anvil.config.capsules[world.capsule].on_return = OnReturn::sync;
  world.hold();
  world.plug();
  world.await_run();
  CHECK(refusal_of([&] {
          world.anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
        }).find("a sync reads the device's files") != std::string::npos);
  CHECK(refusal_of([&] {
          world.anvil.host().fold(world.capsule, Commands::WhenNeeded::refuse);
        }).find("a sync reads the device's files") != std::string::npos);
  world.go_on();
  world.anvil.wait_for_jobs();
  CHECK(world.anvil.capsule(world.capsule)->last_sync.generation.value > 0);
  CHECK(world.merge(world.anvil) == "done");
  CHECK(world.runs() == 1);
}

TEST_CASE("while a merge is at work no sync begins") {
  SyncWorld world;
  world.plug();
  const auto merge = world.anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
  CHECK(refusal_of([&] { world.begin(); }).find("it is merging") != std::string::npos);
  CHECK(world.anvil.end_of(merge).result == "done");
  CHECK(world.runs() == 0);
  CHECK(world.anvil.end_of(world.begin()).result == "done");
  CHECK(world.runs() == 1);
}

TEST_CASE("a fold that is due waits for a sync, which comes by itself, and then comes too") {
  SyncWorld world(small_cow);
  // The machine's changes are in the COW file, as after merges.
  world.bellows.start();
  world.bellows.plug();
  REQUIRE(world.bellows.reaches(world.capsule, "ready"));
  REQUIRE(world.merge(world.bellows) == "done");
  world.bellows.wait_for_jobs();
  world.bellows.pull();
  const auto before = world.content();
  world.hold();
  world.plug();
  world.await_run();
  CHECK(world.head(world.capsule).epoch == 1);
  world.go_on();
  REQUIRE(world.anvil.until([&] { return world.head(world.capsule).epoch == 2; }));
  world.anvil.wait_for_jobs();
  INFO(world.anvil.log.all());
  CHECK(world.content() == before);
  // The fold has changed nothing that a guest has.
  CHECK(world.runs() == 1);
  CHECK(world.fold(world.anvil) == "done");
}

TEST_CASE("a sync that fails holds a fold up, and says so") {
  SyncWorld world;
  world.anvil.config.capsules[world.capsule].on_return = OnReturn::sync;
  world.answers(Fault(Remedy::fix_config, Fault::Text{"sync", target, "it is not ann's", {}}));
  world.plug();
  world.anvil.wait_for_jobs();
  const auto said = world.fold(world.anvil);
  CHECK(said != "done");
  CHECK(world.anvil.ends.back().message.find("satchelctl sync traveller") != std::string::npos);
  CHECK(world.head(world.capsule).epoch == 1);
  CHECK(world.anvil.capsule(world.capsule)->last_sync.message.find("it is not ann's") !=
        std::string::npos);
  world.answers(std::nullopt);
  CHECK(world.anvil.end_of(world.begin()).result == "done");
  world.anvil.wait_for_jobs();
}

TEST_CASE("a worker that tells of more folders than it was asked for has failed") {
  SyncWorld world;
  world.anvil.sync_worker.back() +=
      "; for n in 1 2 3; do " + world.anvil.sync_worker.back() + "; done";
  world.plug();
  CHECK(world.anvil.end_of(world.begin()).message.find("satchel-sync ended") != std::string::npos);
}

TEST_CASE("an eject ends a sync and is not kept by it") {
  SyncWorld world;
  world.hold();
  world.plug();
  const auto sync = world.begin();
  world.await_run();
  CHECK(world.eject(world.anvil, Commands::Layers::merge) == "done");
  CHECK(world.anvil.end_of(sync).result == "cancelled");
  CHECK(world.anvil.state(world.capsule) == "safe");
  CHECK(world.chain() == merged);
}

TEST_CASE("how the last sync ended is known after a restart, and only what is new is synced") {
  SyncWorld world;
  world.anvil.config.capsules[world.capsule].on_return = OnReturn::sync;
  world.plug();
  REQUIRE(world.anvil.until(
      [&] { return world.anvil.capsule(world.capsule)->last_sync.time.value > 0; }));
  const auto synced = world.anvil.capsule(world.capsule)->last_sync;
  REQUIRE(world.launch(world.anvil) == "done");
  world.anvil.wait_for_jobs();
  CHECK(world.runs() == 1);
  world.anvil.stop();
  world.anvil.start();
  REQUIRE(world.anvil.reaches(world.capsule, "running"));
  CHECK(world.anvil.capsule(world.capsule)->last_sync == synced);
  world.write(world.anvil, 5, 5);
  REQUIRE(world.eject(world.anvil) == "done");
  world.anvil.pull();
  world.anvil.plug();
  world.await_run(2);
  world.anvil.wait_for_jobs();
  CHECK(world.anvil.capsule(world.capsule)->last_sync.generation.value > synced.generation.value);
}

}  // namespace satchel::test
