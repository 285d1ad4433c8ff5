// Merging layers and folding the COW file: nothing that is read changes, whatever happens
// meanwhile.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "runtime/upkeep_world.hpp"

namespace satchel::test {

namespace {

using Chain = std::vector<std::string>;

void small_cow(Config& config) { config.fold.cow_limit = {CowLimit::Of::bytes, 1}; }

bool has_due(TestHost& host, CapsuleId capsule, const std::string& what) {
  const auto view = host.capsule(capsule);
  return view && std::find(view->due.begin(), view->due.end(), what) != view->due.end();
}

}  // namespace

TEST_CASE("layers beyond the limit are merged at rest by themselves, and go with the next commit") {
  UpkeepWorld world(3, two_layers_at_most);
  const auto before = world.content();
  world.anvil.start();
  world.anvil.plug();
  REQUIRE(world.comes_to_no_layers(world.anvil));
  INFO(world.anvil.log.all());
  CHECK(world.chain() == merged);
  CHECK(world.anvil.state(world.capsule) == "ready");
  CHECK(world.content() == before);
  CHECK(world.content_before() == before);
  CHECK_FALSE(has_due(world.anvil, world.capsule, "merge"));
  CHECK(world.head(world.capsule).history.back().what == "merge");
  const auto layer = world.on_device(world.capsule) / "vda" / "layer-2.qcow2";
  CHECK(std::filesystem::exists(layer));
  REQUIRE(world.launch(world.anvil) == "done");
  CHECK(world.anvil.counter(world.guest) == 3);
  CHECK(world.eject(world.anvil) == "done");
  CHECK_FALSE(std::filesystem::exists(layer));
}

TEST_CASE(
    "a merge by itself takes the layers that all older states have, and changes none of them") {
  UpkeepWorld world(6, [](Config& config) {
    config.merge.layers = 2;
    config.generations = {2, 0};
  });
  const auto before = world.content();
  const auto older = world.older_contents();
  REQUIRE(older.size() >= 2);
  world.anvil.start();
  world.anvil.plug();
  INFO(world.anvil.log.all());
  REQUIRE(
      world.anvil.until([&] { return world.head(world.capsule).history.back().what == "merge"; }));
  world.anvil.wait_for_jobs();
  CHECK(world.chain() ==
        Chain{"vda/image.qcow2", "vda/cow.qcow2", "vda/layer-10.qcow2", "vda/layer-12.qcow2"});
  CHECK(world.content() == before);
  const auto now = world.older_contents();
  for (const auto seq : {std::uint64_t{11}, std::uint64_t{9}}) {
    REQUIRE(now.contains(seq));
    CHECK(now.at(seq) == older.at(seq));
  }
  CHECK_FALSE(has_due(world.anvil, world.capsule, "merge"));

  // The lowest layer's header names one that goes with the next commits; nothing minds.
  for (int session = 0; session < 3; ++session) {
    REQUIRE(world.launch(world.anvil) == "done");
    REQUIRE(world.eject(world.anvil) == "done");
    world.anvil.pull();
    world.anvil.plug();
    REQUIRE(world.anvil.reaches(world.capsule, "ready"));
    world.anvil.wait_for_jobs();
  }
  CHECK_FALSE(std::filesystem::exists(world.on_device(world.capsule) / "vda/layer-8.qcow2"));
  CHECK(world.content() == before);
  REQUIRE(world.merge(world.anvil) == "done");
  CHECK(world.chain() == merged);
  CHECK(world.content() == before);
}

TEST_CASE("while a machine runs nothing is merged by itself unless the configuration allows it") {
  UpkeepWorld world(3, [](Config& config) {
    config.merge.layers = 2;
    config.merge.while_running = WhileRunning::no;
  });
  auto& anvil = world.anvil;
  anvil.config.on_insert = OnInsert::resume;
  anvil.start();
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "running"));
  CHECK(has_due(anvil, world.capsule, "merge"));
  CHECK(world.chain().size() == merged.size() + 3);
  // Once it has shut itself down the machine rests, and the merge comes.
  anvil.hypervisor.guest_shuts_down(world.guest);
  CHECK(world.comes_to_no_layers(anvil));
}

TEST_CASE("what a session wrote last is merged without a change to the generation before it") {
  UpkeepWorld world(3);
  const auto before = world.content();
  const auto older = world.content_before();
  REQUIRE(older);
  CHECK(*older != before);
  world.anvil.start();
  world.anvil.plug();
  REQUIRE(world.merge(world.anvil) == "done");
  CHECK(world.content() == before);
  CHECK(world.content_before() == before);  // a commit of its own was put between
  CHECK(world.merge(world.anvil) == "done");
  CHECK(world.anvil.ends.back().message == "There was nothing to merge.");
}

TEST_CASE("a COW file beyond its limit is folded at home and nowhere else") {
  UpkeepWorld world(2, small_cow);
  const auto before = world.content();
  world.bellows.start();
  world.bellows.plug();
  REQUIRE(world.bellows.reaches(world.capsule, "ready"));
  REQUIRE(world.merge(world.bellows) == "done");
  world.bellows.wait_for_jobs();
  CHECK(world.head(world.capsule).epoch == 1);
  CHECK_FALSE(has_due(world.bellows, world.capsule, "fold"));
  world.bellows.pull();
  world.anvil.start();
  world.anvil.plug();
  world.anvil.wait_for_jobs();
  INFO(world.anvil.log.all());
  CHECK(world.head(world.capsule).epoch == 2);
  CHECK(world.chain() == Chain{"vda/image.qcow2", "vda/cow-2.qcow2"});
  CHECK(world.content() == before);
  CHECK(world.content_before() == before);
  CHECK(world.head(world.capsule).hibernation);
  CHECK_FALSE(has_due(world.anvil, world.capsule, "fold"));
  REQUIRE(world.launch(world.anvil) == "done");
  CHECK(world.anvil.counter(world.guest) == 2);
  world.write(world.anvil, 7, 9);
  CHECK(world.eject(world.anvil) == "done");
  CHECK(world.content().at(7 * (64 << 10)) == 9);
  CHECK_FALSE(std::filesystem::exists(world.on_device(world.capsule) / "vda" / "cow.qcow2"));
}

TEST_CASE("a fold asked for merges the layers first, and the next one is of the next epoch") {
  UpkeepWorld world(2);
  const auto before = world.content();
  world.anvil.start();
  world.anvil.plug();
  CHECK(world.fold(world.anvil) == "done");
  CHECK(world.head(world.capsule).epoch == 2);
  CHECK(world.content() == before);
  CHECK(world.fold(world.anvil) == "done");
  CHECK(world.anvil.ends.back().message == "There was nothing to fold.");
  REQUIRE(world.launch(world.anvil) == "done");
  world.write(world.anvil, 8, 8);
  CHECK(world.eject(world.anvil) == "done");
  const auto then = world.content();
  world.anvil.pull();
  world.anvil.plug();
  CHECK(world.fold(world.anvil) == "done");
  CHECK(world.chain() == Chain{"vda/image.qcow2", "vda/cow-3.qcow2"});
  CHECK(world.content() == then);
}

TEST_CASE(
    "on exFAT, where a file must not grow, a merge makes a new COW file and nothing is folded") {
  UpkeepWorld world(2, small_cow);
  const auto before = world.content();
  auto& anvil = world.anvil;
  anvil.fs_type = "exfat";
  anvil.start();
  anvil.plug();
  anvil.wait_for_jobs();
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  const auto cow = world.on_device(world.capsule) / "vda" / "cow.qcow2";
  const auto size = std::filesystem::file_size(cow);
  REQUIRE(world.merge(anvil) == "done");
  INFO(anvil.log.all());
  CHECK(world.chain() == Chain{"vda/image.qcow2", "vda/cow-2.qcow2"});
  CHECK(world.head(world.capsule).epoch == 2);
  CHECK(world.content() == before);
  CHECK(world.content_before() == before);
  CHECK(std::filesystem::file_size(cow) == size);
  // The COW file is past its limit.
  anvil.wait_for_jobs();
  CHECK_FALSE(has_due(anvil, world.capsule, "fold"));
  CHECK(world.head(world.capsule).epoch == 2);
  CHECK(world.fold(anvil).find("on exFAT a file that grows") != std::string::npos);
  // The guest goes on over it, also while it is written anew.
  REQUIRE(world.launch(anvil) == "done");
  CHECK(anvil.counter(world.guest) == 2);
  world.write(anvil, 7, 9);
  CHECK(world.eject(anvil) == "done");
  anvil.pull();
  anvil.plug();
  REQUIRE(world.launch(anvil) == "done");
  REQUIRE(world.merge(anvil) == "done");
  CHECK(world.chain() == Chain{"vda/image.qcow2", "vda/cow-3.qcow2"});
  world.write(anvil, 8, 4);
  CHECK(world.eject(anvil) == "done");
  CHECK(world.content().at(7 * (64 << 10)) == 9);
  CHECK(world.content().at(8 * (64 << 10)) == 4);
  CHECK_FALSE(std::filesystem::exists(cow));
}

TEST_CASE("a launch ends a merge at rest and comes next") {
  UpkeepWorld world(3);
  auto& anvil = world.anvil;
  anvil.start();
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  const auto merge = anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
  LaunchRequest request;
  request.capsule = world.capsule;
  const auto launch = anvil.host().launch(request);
  CHECK(launch != merge);
  CHECK(anvil.end_of(launch).result == "done");
  CHECK(anvil.state(world.capsule) == "running");
  CHECK(anvil.counter(world.guest) == 3);
}

TEST_CASE("too little room for a merge is told, and changes nothing") {
  UpkeepWorld world(2);
  world.anvil.config.space.keep_free_device = ByteCount(1ULL << 60);
  world.anvil.start();
  world.anvil.plug();
  CHECK(world.merge(world.anvil).find("NoSpace") != std::string::npos);
  CHECK(world.chain().size() == 4);
  CHECK(world.anvil.state(world.capsule) == "ready");
}

TEST_CASE("files that a session of another host may need are left alone unless somebody insists") {
  UpkeepWorld world(3, two_layers_at_most);
  world.bellows.config.merge.layers = 0;
  world.bellows.start();
  world.bellows.plug();
  REQUIRE(world.launch(world.bellows) == "done");
  world.bellows.pull();
  REQUIRE(world.bellows.reaches(world.capsule, "stranded"));
  auto& anvil = world.anvil;
  anvil.start();
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  LaunchRequest request;
  request.capsule = world.capsule;
  request.when_checked_out = LaunchRequest::CheckedOut::take_over;
  REQUIRE(anvil.result([&] { return anvil.host().launch(request); }) == "done");
  anvil.wait_for_jobs();
  CHECK(world.chain().size() == 5);
  CHECK(has_due(anvil, world.capsule, "merge"));
  std::string why;
  try {
    anvil.host().merge(world.capsule, Commands::WhenNeeded::refuse);
  } catch (const Fault& refused) {
    why = std::string(refused.what()) + " " + refused.next_step();
  }
  CHECK(why.find("bellows") != std::string::npos);
  CHECK(why.find("--although-needed") != std::string::npos);
  CHECK(world.eject(anvil) == "done");
  anvil.pull();
  anvil.plug();
  anvil.wait_for_jobs();
  CHECK(world.chain().size() == 6);
  const auto before = world.content();
  CHECK(anvil.result([&] {
    return anvil.host().merge(world.capsule, Commands::WhenNeeded::go_on);
  }) == "done");
  CHECK(world.chain() == merged);
  CHECK(world.content() == before);
}

TEST_CASE("at rest an eject that merges too merges first and lets the device go then") {
  UpkeepWorld world(2);
  const auto before = world.content();
  world.anvil.start();
  world.anvil.plug();
  REQUIRE(world.anvil.reaches(world.capsule, "ready"));
  CHECK(world.eject(world.anvil, Commands::Layers::merge) == "done");
  CHECK(world.anvil.reaches(world.capsule, "safe"));
  CHECK(world.chain() == merged);
  CHECK(world.content() == before);
}

TEST_CASE("an eject that merges too is answered when all that it had to end and to do is done") {
  UpkeepWorld world(2);
  auto& anvil = world.anvil;
  const auto before = world.content();
  anvil.start();
  anvil.plug();
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  const auto fold = anvil.host().fold(world.capsule, Commands::WhenNeeded::refuse);
  const auto eject = anvil.host().eject(world.capsule, Commands::Layers::merge);
  INFO(anvil.log.all());
  CHECK(anvil.end_of(eject).result == "done");
  CHECK(anvil.state(world.capsule) == "safe");
  CHECK(anvil.end_of(fold).result == "cancelled");
  CHECK(world.chain() == merged);
  CHECK(world.content() == before);
}

TEST_CASE("work on the disks that was cancelled is not begun again by itself") {
  UpkeepWorld world(3, [](Config& config) {
    two_layers_at_most(config);
    config.merge.rate = ByteCount(64U << 10);
  });
  auto& anvil = world.anvil;
  const auto before = world.content();
  anvil.start();
  anvil.plug_only();
  REQUIRE(
      anvil.until([&] { return world.head(world.capsule).history.back().what == "merge begun"; }));
  const auto jobs = anvil.host().view().running_jobs;
  REQUIRE(jobs.size() == 1);
  anvil.host().cancel(jobs.front().id);
  CHECK(anvil.end_of(jobs.front().id).result == "cancelled");
  REQUIRE(anvil.reaches(world.capsule, "ready"));
  anvil.wait_for_jobs();
  INFO(anvil.log.all());
  CHECK(anvil.log.times("ready -> merging") == 1);
  CHECK(world.content() == before);
}

TEST_CASE("a machine that still runs on the files it was packed from has nothing to merge") {
  HostWorld world;
  world.anvil.start();
  world.anvil.plug();
  const auto guest = world.anvil.machine("traveller");
  world.anvil.run_machine(guest);
  const auto capsule = world.anvil.pack("traveller");
  for (const bool folds : {false, true}) {
    CHECK(world.anvil.result([&] {
      return folds ? world.anvil.host().fold(capsule, Commands::WhenNeeded::refuse)
                   : world.anvil.host().merge(capsule, Commands::WhenNeeded::refuse);
    }) == "done");
    CHECK(world.anvil.ends.back().message.find("There was nothing to ") == 0);
  }
  CHECK(world.head(capsule).epoch == 1);
}

}  // namespace satchel::test
