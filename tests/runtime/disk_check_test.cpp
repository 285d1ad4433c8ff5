// Damage to a machine's disk files, found before anybody uses what is in them.
#include <fcntl.h>

#include <catch2/catch.hpp>
#include <optional>
#include <string>

#include "runtime/flip.hpp"
#include "runtime/upkeep_world.hpp"

namespace satchel::test {

namespace {

/// At rest at anvil with two layers; generations of before them are kept.
struct DecayWorld : UpkeepWorld {
  explicit DecayWorld(DisksChecked disks = DisksChecked::layers)
      : UpkeepWorld(2, [disks](Config& config) {
          config.check.disks = disks;
          config.generations = {4, 0};
        }) {
    anvil.start();
    anvil.plug_only();
    REQUIRE(anvil.reaches(capsule, "ready"));
  }

  std::filesystem::path file(std::size_t number) const {
    return on_device(capsule) / chain().at(number);
  }
  bool is_untouched(const format::Head& before) const { return head(capsule) == before; }
  std::string go_back(Sequence to) {
    return anvil.result(
        [&] { return anvil.host().rollback(capsule, to, Commands::WhenNeeded::refuse); });
  }
  std::string export_it(std::optional<Sequence> generation = {}) {
    const auto to = scratch.path() / "out";
    std::filesystem::remove_all(to);
    std::filesystem::create_directories(to);
    return anvil.result([&] {
      ExportRequest request;
      request.capsule = capsule;
      request.generation = generation;
      request.path = to.string();
      request.directory = UniqueFd(::open(to.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      return anvil.host().export_to(std::move(request));
    });
  }
};

bool is_named(const std::string& told, const std::string& file) {
  INFO(told);
  const bool named = told.find(file) != std::string::npos &&
                     told.find("it is not what was written") != std::string::npos;
  CHECK(named);
  return named;
}

constexpr std::size_t image = 0;
constexpr std::size_t cow = 1;
constexpr std::size_t first_layer = 2;
constexpr std::size_t newest_layer = 3;

}  // namespace

TEST_CASE("a damaged layer is found before a guest reads it, and what does without it is offered") {
  DecayWorld world;
  const auto layer = world.chain().at(newest_layer);
  const auto before = world.head(world.capsule);
  flip(world.file(newest_layer));
  const auto told = world.launch(world.anvil);
  is_named(told, layer);
  CHECK(world.is_untouched(before));
  CHECK(world.anvil.guest(world.guest)->state == GuestState::shut_off);
  REQUIRE(world.anvil.state(world.capsule) == "ready");

  const auto offered = told.find("Generations that do without this file: ");
  REQUIRE(offered != std::string::npos);
  const auto to = std::stoull(told.substr(offered + 39));
  REQUIRE(world.go_back(Sequence(to)) == "done");
  CHECK(world.launch(world.anvil) == "done");
}

TEST_CASE("how much is compared before a launch is set") {
  SECTION("layers: nothing that takes long") {
    DecayWorld world;
    flip(world.file(image));
    CHECK(world.launch(world.anvil) == "done");
  }
  SECTION("all: every file") {
    DecayWorld world(DisksChecked::all);
    flip(world.file(image));
    is_named(world.launch(world.anvil), world.chain().at(image));
  }
  SECTION("none: what is damaged is used as it is") {
    DecayWorld world(DisksChecked::none);
    flip(world.file(newest_layer));
    CHECK(world.launch(world.anvil) == "done");
  }
}

TEST_CASE("a merge and a fold take no damage in") {
  DecayWorld world;
  const auto number = GENERATE(image, cow, first_layer, newest_layer);
  flip(world.file(number));
  const auto before = world.head(world.capsule);
  const auto damaged = world.chain().at(number);
  if (number == image) {
    CHECK(world.merge(world.anvil) == "done");
    const auto merged_now = world.head(world.capsule);
    is_named(world.fold(world.anvil), damaged);
    CHECK(world.is_untouched(merged_now));
    return;
  }
  is_named(world.merge(world.anvil), damaged);
  CHECK(world.is_untouched(before));
  CHECK(world.anvil.state(world.capsule) == "ready");
}

TEST_CASE("a machine that runs is told of a damaged layer by its merge, and ejects as ever") {
  DecayWorld world;
  REQUIRE(world.launch(world.anvil) == "done");
  flip(world.file(first_layer));
  is_named(world.merge(world.anvil), world.chain().at(first_layer));
  CHECK(world.anvil.state(world.capsule) == "running");
  CHECK(world.eject(world.anvil) == "done");
}

TEST_CASE("an eject and a pull end the comparison before a merge") {
  RunningWorld world([](Config& config) {
    two_layers_at_most(config);
    config.merge.rate = ByteCount(32 << 10);
  });
  auto& anvil = world.anvil;
  REQUIRE(anvil.until([&] {
    const auto& jobs = anvil.host().view().running_jobs;
    return !jobs.empty() && jobs.front().step.starts_with("checking vda/");
  }));
  const auto merge = anvil.host().view().running_jobs.front().id;
  const auto before = world.head(world.capsule);
  SECTION("an eject") {
    CHECK(world.eject(anvil) == "done");
    CHECK(anvil.end_of(merge).result == "cancelled");
    CHECK(anvil.state(world.capsule) == "safe");
  }
  SECTION("a pull") {
    anvil.pull();
    CHECK(anvil.end_of(merge).result != "done");
    REQUIRE(anvil.reaches(world.capsule, "stranded"));
    CHECK(world.head(world.capsule) == before);
  }
}

TEST_CASE("what is exported is compared from end to end") {
  DecayWorld world;
  flip(world.file(image));
  is_named(world.export_it(), world.chain().at(image));
  CHECK(std::filesystem::is_empty(world.scratch.path() / "out"));
}

TEST_CASE("a file that was merged into in generations that were gone back from is not refused") {
  DecayWorld world(DisksChecked::all);
  const auto last = world.head(world.capsule).generation.seq;
  REQUIRE(world.go_back(Sequence(2)) == "done");
  REQUIRE(world.fold(world.anvil) == "done");
  CHECK(world.export_it(last) == "done");
  REQUIRE(world.go_back(last) == "done");
  CHECK(world.export_it() == "done");
  CHECK(world.launch(world.anvil) == "done");
  CHECK(world.merge(world.anvil) == "done");
  CHECK(world.eject(world.anvil) == "done");
}

}  // namespace satchel::test
