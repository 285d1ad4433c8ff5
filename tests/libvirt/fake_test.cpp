#include <catch2/catch.hpp>

#include "../fakes/fake_hypervisor.hpp"
#include "contract.hpp"
#include "save_reader.hpp"

using namespace satchel;
using namespace satchel::test;

namespace {

struct FakeWorld : Loop {
  TemporaryDirectory directory;
  FakeHypervisor hypervisor{io.get_executor(), lanes};
  std::vector<GuestEvent> events;
  TinyGuest guest{DomainId(Uuid::random()), "fake", {}, "qemu", {}};

  FakeWorld() {
    hypervisor.listen([this](GuestEvent event) { events.push_back(std::move(event)); });
  }
  Subject subject() { return {*this, hypervisor, events, directory.path()}; }
  std::optional<GuestState> state() {
    const auto entry = run(hypervisor.find(guest.id));
    return entry ? std::optional(entry->state) : std::nullopt;
  }
  void start() {
    run(hypervisor.define(guest.xml()));
    run(hypervisor.start(guest.id, guest.xml()));
  }
};

using Call = FakeHypervisor::Call;

}  // namespace

TEST_CASE("the fake hypervisor keeps the contract") {
  FakeWorld world;
  SECTION("definitions") { a_definition_is_kept_until_it_is_removed(world.subject()); }
  SECTION("life") { a_guest_starts_pauses_resumes_and_ends(world.subject()); }
  SECTION("refusals") { what_makes_no_sense_is_refused(world.subject()); }
  SECTION("save") { a_saved_guest_is_gone_only_after_the_second_open(world.subject()); }
  SECTION("refused save") { a_refused_save_leaves_the_guest_as_it_was(world.subject()); }
  SECTION("persistence") { a_session_leaves_the_persistent_definition_alone(world.subject()); }
  SECTION("lending") { files_are_lent_for_one_start(world.subject()); }
  SECTION("overlays") { overlays_go_on_and_off(world.subject()); }
  SECTION("a snapshot") { a_snapshot_leaves_the_guest_running(world.subject()); }
  SECTION("merge") { layers_are_merged_below_the_topmost_file(world.subject()); }
  SECTION("stopped merge") { a_merge_is_stopped_and_its_chain_stays(world.subject()); }
  SECTION("left merge") { what_an_earlier_merge_left_at_work_is_ended(world.subject()); }
  SECTION("processors") { a_shared_processor_runs_here(world.subject()); }
}

TEST_CASE("the fake guest's count travels through save and restore") {
  FakeWorld world;
  auto& hypervisor = world.hypervisor;
  const auto id = world.guest.id;
  world.start();
  for (int i = 0; i < 5; ++i) hypervisor.tick(id);
  const auto path = world.directory.path() + "/image";
  world.run(hypervisor.save(id, path));
  CHECK(world.state() == GuestState::shut_off);
  world.run(hypervisor.start(id, world.guest.xml()));
  CHECK(hypervisor.counter(id) == 0);
  world.run(hypervisor.destroy(id));
  world.run(hypervisor.restore(id, path, {}));
  hypervisor.tick(id);
  CHECK(hypervisor.counter(id) == 5);
  world.run(hypervisor.resume(id));
  hypervisor.tick(id);
  CHECK(hypervisor.counter(id) == 6);
}

TEST_CASE("a changed or unfinished image is not restored by the fake") {
  FakeWorld world;
  world.start();
  const auto path = world.directory.path() + "/image";
  world.run(world.hypervisor.save(world.guest.id, path));
  const auto image = read_whole(path);
  for (auto at : {std::size_t(0), image.size() - 1}) {
    auto changed = image;
    changed[at] = static_cast<char>(changed[at] + 1);
    write_whole(path, changed);
    CHECK_THROWS_AS(world.run(world.hypervisor.restore(world.guest.id, path, {})), Fault);
  }
  CHECK(world.state() == GuestState::shut_off);
}

TEST_CASE("the nth call of a kind fails as planned") {
  FakeWorld world;
  world.start();
  world.hypervisor.fail(Call::pause, 2, Remedy::free_space);
  world.run(world.hypervisor.pause(world.guest.id));
  CHECK_THROWS_AS(world.run(world.hypervisor.pause(world.guest.id)), Fault);
  world.run(world.hypervisor.pause(world.guest.id));
  CHECK(world.hypervisor.count(Call::pause) == 3);
}

TEST_CASE("a planned failure after the stream leaves the fake guest running") {
  FakeWorld world;
  world.start();
  world.hypervisor.fail_save_after_stream();
  CHECK_THROWS_AS(
      world.run(world.hypervisor.save(world.guest.id, world.directory.path() + "/image")), Fault);
  CHECK(world.state() == GuestState::running);
}

TEST_CASE("a save that nobody reads can be aborted on the fake") {
  FakeWorld world;
  world.start();
  const auto path = world.directory.path() + "/fifo";
  SaveReader reader(path);
  world.hypervisor.stream_bytes = 64 << 20;
  auto saving = world.begin(world.hypervisor.save(world.guest.id, path));
  CHECK(world.state() == GuestState::paused);
  world.run(world.hypervisor.abort_job(world.guest.id));
  CHECK_THROWS_AS(world.finish(std::move(saving)), Fault);
  CHECK(world.state() == GuestState::running);
}

TEST_CASE("what happens to a fake guest by itself is told") {
  FakeWorld world;
  world.start();
  const auto heard = [&](GuestEvent::What what) {
    return world.until([&] { return !world.events.empty() && world.events.back().what == what; });
  };
  world.hypervisor.disk_fails(world.guest.id, "enospc");
  CHECK(heard(GuestEvent::What::paused_by_io_error));
  CHECK(world.state() == GuestState::paused_by_io_error);
  world.run(world.hypervisor.resume(world.guest.id));
  world.hypervisor.guest_shuts_down(world.guest.id);
  CHECK(heard(GuestEvent::What::stopped_by_guest));
  world.run(world.hypervisor.start(world.guest.id, world.guest.xml()));
  world.hypervisor.guest_crashes(world.guest.id);
  CHECK(heard(GuestEvent::What::crashed));
  std::vector<bool> changes;
  world.hypervisor.listen_connection([&](bool up) { changes.push_back(up); });
  world.hypervisor.lose_connection();
  CHECK_THROWS_AS(world.state(), Fault);
  world.hypervisor.regain_connection();
  CHECK(world.until([&] { return changes == std::vector<bool>{false, true}; }));
}
