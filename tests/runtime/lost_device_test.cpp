// A machine whose device does not come back: what this computer has of it becomes plain files.
#include <catch2/catch.hpp>

#include "fakes/fake_save_image.hpp"
#include "runtime/kept_world.hpp"
#include "runtime/session_export.hpp"

namespace satchel::test {

namespace {

namespace fs = std::filesystem;

struct LostWorld : KeptWorld {
  fs::path to = scratch.path() / "out";

  LostWorld() {
    tick(anvil);
    fs::create_directory(to);
  }
  ExportRequest request() const { return export_of_session(capsule, to); }
  std::string export_ours() {
    return anvil.result([&] { return anvil.host().export_to(request()); });
  }
  void check_that_nothing_was_given_up() {
    CHECK(anvil.state(capsule) == "stranded");
    CHECK(anvil.has_session(capsule));
    anvil.plug();
    REQUIRE(anvil.reaches(capsule, "running"));
    CHECK(anvil.counter(guest) == 2);
  }
};

}  // namespace

TEST_CASE("what this computer has of a machine whose device is lost becomes plain files") {
  LostWorld world;
  auto& anvil = world.anvil;
  world.strand();
  CHECK(anvil.capsule(world.capsule)->next_step.find("export-ours") != std::string::npos);
  REQUIRE(world.export_ours() == "done");
  INFO(anvil.log.all());
  CHECK(read_fake_save(world.to / "guest.save").counter == 2);
  CHECK(fs::exists(world.to / "vda.qcow2"));
  CHECK(anvil.until([&] { return !anvil.has_session(world.capsule); }));
  CHECK(anvil.state(world.capsule) == "absent");

  SECTION("and a device that is found again has what it had, held by nobody's session") {
    anvil.plug();
    REQUIRE(anvil.reaches(world.capsule, "ready"));
    LaunchRequest over;
    over.capsule = world.capsule;
    over.when_checked_out = LaunchRequest::CheckedOut::take_over;
    CHECK(anvil.result([&] { return anvil.host().launch(over); }) == "done");
  }
}

TEST_CASE("a guest that was off when its device went is exported without memory") {
  LostWorld world;
  auto& anvil = world.anvil;
  anvil.hypervisor.guest_shuts_down(world.guest);
  REQUIRE(anvil.until(
      [&] { return anvil.detail(world.capsule).find("shut down") != std::string::npos; }));
  anvil.pull();
  REQUIRE(anvil.reaches(world.capsule, "stranded"));
  REQUIRE(world.export_ours() == "done");
  CHECK_FALSE(fs::exists(world.to / "guest.save"));
  CHECK(fs::exists(world.to / "vda.qcow2"));
}

TEST_CASE("an export that does not come about gives nothing up") {
  LostWorld world;
  auto& anvil = world.anvil;
  world.strand();
  SECTION("a copy is damaged") {
    flip_last_byte(world.copies().front());
    CHECK(world.export_ours() != "done");
    CHECK(anvil.ends.back().message.find("is damaged") != std::string::npos);
  }
  SECTION("there are no copies") {
    anvil.await(anvil.host().drop_cache(world.capsule));
    CHECK(world.export_ours() != "done");
    CHECK(anvil.ends.back().message.find("no complete copy") != std::string::npos);
  }
  SECTION("there is something in the way") {
    fs::create_directory(world.to / "in the way");
    CHECK(world.export_ours() != "done");
  }
  SECTION("it is cancelled") {
    const auto job = anvil.host().export_to(world.request());
    anvil.host().cancel(job);
    CHECK(anvil.end_of(job).result == "cancelled");
  }
  CHECK(fs::is_empty(world.to) != fs::exists(world.to / "in the way"));
  world.check_that_nothing_was_given_up();
}

TEST_CASE("a device that comes back during the export is looked at afterwards") {
  LostWorld world;
  auto& anvil = world.anvil;
  world.strand();
  const auto exports = anvil.host().export_to(world.request());
  anvil.plug_only();
  CHECK_THROWS_AS(anvil.host().resolve(world.capsule, "discard-ours"), Fault);
  SECTION("of which nothing is left here") {
    anvil.wait_for_jobs();
    REQUIRE(anvil.reaches(world.capsule, "ready"));
    CHECK(fs::exists(world.to / "vda.qcow2"));
    CHECK_FALSE(anvil.has_session(world.capsule));
  }
  SECTION("and goes on where it was, if that is cancelled") {
    anvil.host().cancel(exports);
    REQUIRE(anvil.reaches(world.capsule, "running"));
    CHECK(anvil.counter(world.guest) == 2);
  }
}

}  // namespace satchel::test
