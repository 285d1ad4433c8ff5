// Generations before the newest stay as long as they are asked for, whole or not at all.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

#include "base/fault.hpp"
#include "format/effects.hpp"
#include "format/verify_world.hpp"

using namespace satchel;
using namespace satchel::format;
namespace fs = std::filesystem;

namespace {

using Numbers = std::vector<std::uint64_t>;

/// Generations 2 to 5, of which 2 was to stay.
struct OlderWorld : VerifyWorld {
  CapsuleDirectory capsule = open();
  SignedHead fourth = commit(capsule, third, "eject");
  SignedHead fifth;

  OlderWorld() {
    capsule.sweep({Sequence(2)});
    fifth = commit(capsule, fourth, "eject");
    capsule.sweep({Sequence(2)});
  }
  Numbers older() const {
    Numbers out;
    for (const auto& head : open().older()) out.push_back(head.generation.seq.value);
    return out;
  }
  Numbers verified() const {
    Numbers out;
    for (const auto& each : verify().kept) out.push_back(each.seq.value);
    return out;
  }
};

std::vector<std::string> removed(const Effects& effects, const fs::path& folder) {
  std::vector<std::string> out;
  for (const auto& each : effects.log) {
    if (each.kind == Effect::Kind::remove) out.push_back(fs::relative(each.path, folder).string());
    if (each.kind == Effect::Kind::sync) out.emplace_back("sync");
  }
  return out;
}

}  // namespace

TEST_CASE("what is asked for stays with its objects, and the rest goes") {
  OlderWorld world;
  CHECK(world.older() == Numbers{4, 2});
  CHECK(fs::exists(world.at("memory/2.pages")));
  CHECK_FALSE(fs::exists(world.at("heads/3.json")));
  CHECK_FALSE(fs::exists(world.at("memory/3.pages")));
  CHECK(world.open().older().back() == world.second.head);
  CHECK(world.open().examine().problems.empty());

  world.capsule.sweep();
  CHECK(world.older() == Numbers{4});
  CHECK_FALSE(fs::exists(world.at("memory/2.pages")));
}

TEST_CASE("a head goes before its objects, on the medium") {
  OlderWorld world;
  Effects effects;
  effects.during([&] { world.capsule.sweep(); });
  const auto order = removed(effects, world.folder);
  REQUIRE(order.size() > 2);
  CHECK(order[0] == "heads/2.json");
  CHECK(order[1] == "sync");
  CHECK(std::ranges::find(order, "memory/2.pages") != order.end());
}

TEST_CASE("a generation that is given up is none any more, and one in a slot can't be") {
  OlderWorld world;
  world.capsule.give_up({Sequence(2), Sequence(4), Sequence(5)});
  CHECK(world.older() == Numbers{4});
  CHECK(world.open().examine().newest->digest == world.fifth.digest);
  // Its objects go with the next sweep.
  CHECK(fs::exists(world.at("memory/2.pages")));
  world.capsule.sweep({Sequence(2)});
  CHECK_FALSE(fs::exists(world.at("memory/2.pages")));
}

TEST_CASE("an older generation that is not whole counts as gone, and verify names what is wrong") {
  OlderWorld world;
  CHECK(world.verified() == Numbers{5, 4, 2});
  SECTION("an object is missing") { fs::remove(world.at("memory/2.map")); }
  SECTION("its head is damaged") { flip(world.at("heads/2.json"), 40); }
  SECTION("its head is of a history that is not here") {
    auto other = world.second.head;
    other.generation.id = GenerationId(Uuid::random());
    other.history.back().generation = other.generation;
    overwrite(world.at("heads/2.json"), write_head(other, host_key()));
  }
  CHECK(world.older() == Numbers{4});
  const auto found = world.verify();
  CHECK(only_flaw(found).generations == std::vector{Sequence(2)});
  CHECK(found.newest_whole() == Sequence(5));
  world.capsule.sweep({Sequence(2)});
  CHECK(world.verify().is_whole());
  CHECK(world.verified() == Numbers{5, 4});
}

TEST_CASE("an older generation's damaged object is found though no slot names it") {
  const OlderWorld world;
  flip(world.at("memory/2.pages"), 100);
  const auto flaw = only_flaw(world.verify());
  CHECK(flaw.path == "memory/2.pages");
  CHECK(flaw.generations == std::vector{Sequence(2)});
}

TEST_CASE("a commit may take up what an older generation has, and nothing else that lies there") {
  OlderWorld world;
  auto again = next_head(world.id, world.fifth);
  again.history = world.fifth.head.history;
  again.history.push_back({again.generation, "back to 2"});
  fill(again, world.second.head.objects);
  SECTION("as that has it") {
    const auto made = world.capsule.commit(again, host_key());
    CHECK(world.open().examine().newest->digest == made.digest);
    CHECK(world.older().front() == 5);
  }
  SECTION("not when it was given up") {
    world.capsule.give_up({Sequence(2)});
    CHECK_THROWS_AS(world.capsule.commit(again, host_key()), Fault);
    CHECK(world.open().examine().newest->digest == world.fifth.digest);
  }
}
