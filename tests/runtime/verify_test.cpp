// Verifications beside the host's other work, on a device with real layers.
#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>

#include "runtime/flip.hpp"
#include "runtime/upkeep_world.hpp"

namespace satchel::test {

namespace {

using nlohmann::json;

struct VerifyWorld : UpkeepWorld {
  VerifyWorld() : UpkeepWorld(2) {
    anvil.start();
    anvil.plug_only();
    REQUIRE(anvil.reaches(capsule, "ready"));
  }

  JobId begin() { return anvil.host().verify(capsule); }
  JobEnd verify() { return anvil.end_of(begin()); }
  json report() { return json::parse(anvil.host().verify_report(capsule)); }
  std::filesystem::path newest_layer() const { return on_device(capsule) / chain().back(); }
};

std::string refusal_of(const std::function<void()>& asked) {
  try {
    asked();
  } catch (const Fault& refused) {
    return std::string(refused.what()) + " " + refused.next_step();
  }
  return {};
}

bool says(const JobEnd& end, const std::string& text) {
  INFO(end.result << ": " << end.message);
  const bool found = end.message.find(text) != std::string::npos;
  CHECK(found);
  return found;
}

}  // namespace

TEST_CASE(
    "a whole machine is verified at rest and while it runs, and nothing is committed for it") {
  VerifyWorld world;
  const auto before = world.head(world.capsule).generation.id;
  CHECK(world.verify().result == "done");
  auto report = world.report();
  CHECK(report.at("whole") == true);
  CHECK(report.at("findings").empty());
  CHECK(report.at("newest_whole") == world.head(world.capsule).generation.seq.value);
  CHECK(world.head(world.capsule).generation.id == before);
  REQUIRE(world.launch(world.anvil) == "done");
  CHECK(world.verify().result == "done");
  CHECK(world.anvil.state(world.capsule) == "running");
  CHECK(world.eject(world.anvil) == "done");
  CHECK(world.verify().result == "done");
  CHECK(world.anvil.state(world.capsule) == "safe");
}

TEST_CASE("a damaged layer fails the verification by name, with the generation to go on from") {
  VerifyWorld world;
  const auto seq = std::to_string(world.head(world.capsule).generation.seq.value);
  const auto layer = world.chain().back();
  flip(world.newest_layer());
  const auto end = world.verify();
  CHECK(end.result == "org.satchel.Satchel1.Error.UnsuitableDevice");
  says(end, layer + ", which generation " + seq + " needs, is not what was written");
  says(end, "--generation " + std::to_string(std::stoull(seq) - 1));
  const auto report = world.report();
  CHECK(report.at("whole") == false);
  CHECK(report.at("findings").at(0).at("path") == layer);
  CHECK(world.anvil.state(world.capsule) == "ready");
}

TEST_CASE("memory that was found damaged beside the running machine is written anew by its eject") {
  VerifyWorld world;
  REQUIRE(world.launch(world.anvil) == "done");
  REQUIRE(world.eject(world.anvil) == "done");
  world.anvil.pull();
  REQUIRE(world.anvil.reaches(world.capsule, "absent"));
  world.anvil.plug_only();
  REQUIRE(world.anvil.reaches(world.capsule, "ready"));
  REQUIRE(world.launch(world.anvil) == "done");
  const auto head = world.head(world.capsule);
  REQUIRE_FALSE(head.hibernation->segments->empty());
  const auto pages = head.hibernation->segments->front();
  flip(world.on_device(world.capsule) / pages, 60);
  const auto end = world.verify();
  says(end, pages + ", which generation");
  says(end, "its next eject writes all of its memory anew");
  REQUIRE(world.eject(world.anvil) == "done");
  CHECK(world.head(world.capsule).hibernation->segments->empty());
  world.verify();
  CHECK(world.report().at("newest_whole") == world.head(world.capsule).generation.seq.value);
}

TEST_CASE("while a device is verified no merge begins, and while one is at work none is verified") {
  VerifyWorld world;
  const auto verifying = world.begin();
  CHECK(refusal_of([&] {
          world.anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
        }).find("a verification reads the device's files") != std::string::npos);
  CHECK(refusal_of([&] { world.begin(); }).find("it is being verified") != std::string::npos);
  CHECK(world.anvil.end_of(verifying).result == "done");
  const auto merge = world.anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
  CHECK(refusal_of([&] { world.begin(); }).find("it is merging") != std::string::npos);
  CHECK(world.anvil.end_of(merge).result == "done");
  CHECK(world.verify().result == "done");
}

TEST_CASE("an eject ends a verification and is not kept by it, and so does a pull") {
  VerifyWorld world;
  REQUIRE(world.launch(world.anvil) == "done");
  SECTION("an eject") {
    const auto verifying = world.begin();
    CHECK(world.eject(world.anvil) == "done");
    const auto end = world.anvil.end_of(verifying);
    CHECK(end.result == "org.satchel.Satchel1.Error.TryAgain");
    says(end, "an eject came");
    CHECK(world.anvil.state(world.capsule) == "safe");
  }
  SECTION("a pull") {
    const auto verifying = world.begin();
    world.anvil.pull();
    const auto end = world.anvil.end_of(verifying);
    CHECK(end.result == "org.satchel.Satchel1.Error.DeviceTrouble");
    says(end, "its device was pulled out");
    CHECK(refusal_of([&] { world.begin(); }).find("could not verify") != std::string::npos);
  }
  SECTION("a cancel") {
    const auto verifying = world.begin();
    world.anvil.host().cancel(verifying);
    CHECK(world.anvil.end_of(verifying).result == "cancelled");
  }
}

TEST_CASE("a merge that was cut short is told apart from damage, and done to its end is whole") {
  VerifyWorld world;
  // Its last commit fails: all is merged, and the head has the old digest.
  const auto next = world.head(world.capsule).generation.seq.value + 2;
  const auto head = world.on_device(world.capsule) / "heads" / (std::to_string(next) + ".json");
  std::filesystem::create_directories(head / "in the way");
  CHECK(world.merge(world.anvil) != "done");
  std::filesystem::remove_all(head);
  const auto end = world.verify();
  CHECK(end.result == "org.satchel.Satchel1.Error.UnsuitableDevice");
  says(end, "was being changed by a merge that did not come to its end");
  says(end, "satchelctl merge traveller");
  CHECK(world.report().at("findings").at(0).at("damaged") == false);
  CHECK(world.merge(world.anvil) == "done");
  CHECK(world.verify().result == "done");
  CHECK(world.fold(world.anvil) == "done");
  CHECK(world.verify().result == "done");
}

}  // namespace satchel::test
