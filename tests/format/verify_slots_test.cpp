// Commit records and heads as verify() finds them.
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/fault.hpp"
#include "format/effects.hpp"
#include "format/verify_world.hpp"

using namespace satchel;
using namespace satchel::format;
namespace fs = std::filesystem;

TEST_CASE("every byte of slots and heads counts") {
  const VerifyWorld world;
  for (const auto* path : {"slots/0", "slots/1", "heads/2.json", "heads/3.json"})
    for (std::size_t byte = 0; byte < fs::file_size(world.at(path)); byte += 89) {
      INFO(path << " at " << byte);
      flip(world.at(path), byte, static_cast<int>(byte % 8));
      expect_named(world, world.verify(), path);
      flip(world.at(path), byte, static_cast<int>(byte % 8));
    }
}

TEST_CASE("a slot and a head that can't be read are findings") {
  const VerifyWorld world;
  for (const std::string path : {"slots/0", "slots/1", "heads/2.json", "heads/3.json"}) {
    INFO(path);
    Effects effects;
    effects.bad_place = {path, path.starts_with("slots") ? ENODATA : EIO, 0};
    Verification found;
    effects.during([&] { found = world.verify(); });
    expect_named(world, found, path);
  }
}

TEST_CASE("what a later version wrote, and a capsule without a generation, are not judged") {
  const VerifyWorld world;
  SECTION("a later head") {
    auto json = nlohmann::json::parse(contents(world.at("heads/3.json")));
    json["version"] = 99;
    overwrite(world.at("heads/3.json"), json.dump());
    auto record = *read_slot(bytes_of(contents(world.at("slots/0")))).record;
    record.head = digest_of(json.dump());
    const auto slot = write_slot(record);
    overwrite(world.at("slots/0"), {reinterpret_cast<const char*>(slot.data()), slot.size()});
    CHECK(fault_of([&] { world.verify(); }).remedy() == Remedy::later_version);
  }
  SECTION("no generation") {
    for (const auto* slot : {"slots/0", "slots/1"}) overwrite(world.at(slot), std::string(512, 0));
    CHECK(fault_of([&] { world.verify(); }).remedy() == Remedy::other_device);
  }
}

TEST_CASE("an emptied slot, both slots torn, and slots of two histories are told") {
  const VerifyWorld world;
  SECTION("emptied") {
    overwrite(world.at("slots/1"), std::string(512, 0));
    CHECK(only_flaw(world.verify()).path == "slots/1");
  }
  SECTION("both torn") {
    flip(world.at("slots/0"), 40);
    flip(world.at("slots/1"), 40);
    const auto found = world.verify();
    REQUIRE(found.flaws.size() == 2);
    CHECK(found.flaws[0].generations == std::vector{Sequence(3)});
    CHECK(found.flaws[1].generations == std::vector{Sequence(2)});
    CHECK_FALSE(found.newest_whole());
  }
  SECTION("no head of the torn slot is there") {
    flip(world.at("slots/0"), 40);
    fs::remove(world.at("heads/3.json"));
    const auto flaw = only_flaw(world.verify());
    CHECK(flaw.generations.empty());
    CHECK(flaw.sentence().starts_with("slots/0, of a generation that can't be told, is torn"));
  }
  SECTION("two histories") {
    auto record = *read_slot(bytes_of(contents(world.at("slots/1")))).record;
    auto stranger = world.third.head;
    stranger.generation.id = GenerationId(Uuid::random());
    const auto bytes = write_head(stranger, host_key());
    overwrite(world.at("heads/3.json"), bytes);
    const auto slot =
        write_slot({Sequence(3), stranger.generation.id, record.id, digest_of(bytes)});
    overwrite(world.at("slots/1"), {reinterpret_cast<const char*>(slot.data()), slot.size()});
    CHECK_FALSE(world.verify().is_whole());
  }
}
