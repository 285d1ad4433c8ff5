// A guest that runs without its device, on what this host keeps of its disks.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/describe.hpp"
#include "core/samples.hpp"

namespace {

using namespace satchel;
using namespace satchel::core;
using namespace satchel::core::samples;

const LaunchAsked without_device{Requester::person, TakeOver::no, Memory::use, ThisCopy::no,
                                 WithoutDevice::yes};

Transition must(const State& state, const Event& event) {
  auto step = react(state, event, next_job, Policy{OnInsert::resume});
  INFO(name(state) << " + " << name(event));
  REQUIRE(step);
  return std::move(*step);
}

template <class E>
const E* effect(const Transition& step) {
  for (const auto& each : step.effects)
    if (const auto* found = std::get_if<E>(&each)) return found;
  return nullptr;
}

JobEnded started(Session session) {
  Done done;
  done.session = std::move(session);
  return {next_job, std::move(done)};
}

}  // namespace

TEST_CASE("a stranded session goes on without its device only when somebody says so") {
  const State stranded = Stranded{session(Guest::saved)};
  CHECK_FALSE(react(stranded, LaunchAsked{}, next_job, Policy{OnInsert::resume}));

  const auto starting = must(stranded, without_device);
  CHECK(name(starting.state) == "detached");
  CHECK(job_of(starting.state) == next_job);
  REQUIRE(effect<GoOnDetached>(starting));
  CHECK(effect<GoOnDetached>(starting)->from == LaunchFrom::reattached);
  CHECK(can_unplug(starting.state));

  const auto runs = must(starting.state, started(on_copies()));
  CHECK(name(runs.state) == "detached");
  CHECK_FALSE(job_of(runs.state));
  REQUIRE(effect<Tell>(runs));
  CHECK(effect<Tell>(runs)->notice == Notice::detached);
}

TEST_CASE("one that was shut down boots, and so does one whose memory is not wanted") {
  const auto off = must(Stranded{session(Guest::off)}, without_device);
  CHECK(effect<GoOnDetached>(off)->from == LaunchFrom::session);
  auto afresh = without_device;
  afresh.memory = Memory::ignore;
  const auto saved = must(Stranded{session(Guest::saved)}, afresh);
  CHECK(effect<GoOnDetached>(saved)->from == LaunchFrom::session);
}

TEST_CASE("where the copies are not whole it stays stranded, and says why") {
  const auto starting = must(Stranded{session(Guest::saved)}, without_device);
  const auto ended = must(starting.state, JobEnded{next_job, JobFailed{reason(), {}, {}, {}}});
  const auto* stranded = std::get_if<Stranded>(&ended.state);
  REQUIRE(stranded);
  CHECK(stranded->session.guest == Guest::saved);
  CHECK(stranded->trouble == reason());
}

TEST_CASE("the device comes back: the guest is not disturbed, and an eject takes it along") {
  const auto reading = must(Detached{on_copies()}, DeviceAppeared{second_stay});
  CHECK(std::holds_alternative<Examining>(reading.state));
  CHECK_FALSE(effect<PauseGuest>(reading));

  const auto settled = must(reading.state, Examined{next_job, found_checked_out_by_us()});
  const auto* running = std::get_if<Running>(&settled.state);
  REQUIRE(running);
  CHECK(running->session.guest == Guest::runs);
  CHECK(running->session.on_copies);
  CHECK(effect<StartEject>(must(settled.state, EjectAsked{})));
}

TEST_CASE("the device went on elsewhere meanwhile: two histories, and the guest runs on") {
  const auto reading = must(Detached{on_copies()}, DeviceAppeared{second_stay});
  const auto settled = must(reading.state, Examined{next_job, found_checked_out()});
  const auto* diverged = std::get_if<Diverged>(&settled.state);
  REQUIRE(diverged);
  CHECK(diverged->ours.guest == Guest::runs);
  CHECK_FALSE(effect<PauseGuest>(settled));
  CHECK(can_unplug(settled.state));

  const auto gone = must(settled.state, DeviceGone{second_stay});
  CHECK(name(gone.state) == "detached");
  CHECK_FALSE(effect<PauseGuest>(gone));
}

TEST_CASE("the device goes once more while the guest is on copies: it runs on") {
  const State running = Running{first_stay, found_checked_out_by_us(), on_copies()};
  const auto gone = must(running, DeviceGone{first_stay});
  CHECK(name(gone.state) == "detached");
  CHECK_FALSE(effect<PauseGuest>(gone));
  CHECK_FALSE(effect<SaveStranded>(gone));

  const State merging = Tending{Upkeep::merge, work(), found_checked_out_by_us(), on_copies()};
  CHECK_FALSE(effect<PauseGuest>(must(merging, DeviceGone{first_stay})));
}

TEST_CASE("an eject without the device saves the guest here") {
  for (const auto by : {Requester::person, Requester::host_shutdown}) {
    const auto saving = must(Detached{on_copies()}, EjectAsked{by});
    CHECK(name(saving.state) == "stranded");
    CHECK(effect<PauseGuest>(saving));
    CHECK(effect<SaveStranded>(saving));
  }
}

TEST_CASE("an eject asked for while it is being started comes when that has ended") {
  const auto starting = must(Stranded{session(Guest::saved)}, without_device);
  const auto leaving = must(starting.state, EjectAsked{Requester::host_shutdown});
  CHECK(effect<Cancel>(leaving));
  const auto in_time =
      must(leaving.state, JobEnded{next_job, Cancelled{session(Guest::saved), {}}});
  CHECK(name(in_time.state) == "stranded");
  CHECK_FALSE(effect<SaveStranded>(in_time));
  const auto late = must(leaving.state, started(on_copies()));
  CHECK(name(late.state) == "stranded");
  CHECK(effect<SaveStranded>(late));
}

TEST_CASE("a guest without its device that ends leaves its disk changes here") {
  const auto ended = must(Detached{on_copies()}, GuestStopped{GuestEnd::by_itself});
  const auto* stranded = std::get_if<Stranded>(&ended.state);
  REQUIRE(stranded);
  CHECK(stranded->session.guest == Guest::off);
}

TEST_CASE("a daemon that is started anew leaves a guest on copies alone") {
  const auto found_again = must(Absent{}, SessionFound{on_copies(), {}});
  CHECK(name(found_again.state) == "detached");
  CHECK_FALSE(effect<PauseGuest>(found_again));
}

TEST_CASE("what was saved here beside its device goes on when that is asked for") {
  const State running = Running{first_stay, found_checked_out_by_us(), session(Guest::saved)};
  const auto going_on = must(running, LaunchAsked{});
  CHECK(std::holds_alternative<Launching>(going_on.state));
  CHECK(effect<Reattach>(going_on));
}

TEST_CASE("one on copies whose save failed is saved when it is ejected once more") {
  const State stranded = Stranded{on_copies(Guest::paused)};
  CHECK(effect<SaveStranded>(must(stranded, EjectAsked{Requester::host_shutdown})));
  CHECK(effect<SaveStranded>(must(stranded, SaveDue{})));
  // Or goes on, as it is.
  const auto going_on = must(stranded, without_device);
  CHECK(name(going_on.state) == "detached");
  CHECK(effect<ResumeGuest>(going_on));
  CHECK_FALSE(effect<GoOnDetached>(going_on));
}

TEST_CASE("what an eject may have brought to the device is not booted over by itself") {
  auto ours = session(Guest::off);
  ours.committing = GenerationId(uuid(3));
  CHECK_FALSE(react(Stranded{ours}, without_device, next_job, Policy{}));
  CHECK(refusal(Stranded{ours}, without_device).what.find("may hold") != std::string::npos);
  auto afresh = without_device;
  afresh.memory = Memory::ignore;
  CHECK(effect<GoOnDetached>(must(Stranded{ours}, afresh)));
  ours.since_commit = Since::ran_on;
  CHECK(effect<GoOnDetached>(must(Stranded{ours}, without_device)));
}

TEST_CASE("one that could not be started and lives all the same is put away, not let run") {
  const auto starting = must(Stranded{session(Guest::saved)}, without_device);
  const auto ended = must(
      starting.state, JobEnded{next_job, JobFailed{reason(), on_copies(Guest::paused), {}, {}}});
  CHECK(name(ended.state) == "stranded");
  CHECK(effect<SaveStranded>(ended));
}

TEST_CASE("a guest on copies is heard of while its device is read or let go of") {
  const State reading = Examining{work(), on_copies()};
  const auto stopped = must(reading, GuestStopped{GuestEnd::by_itself});
  CHECK(std::get<Examining>(stopped.state).ours->guest == Guest::off);
  Ejecting apart{work(), found(3), on_copies()};
  apart.apart = true;
  const auto paused = must(apart, GuestPaused{GuestPause::by_error});
  CHECK(std::get<Ejecting>(paused.state).session->guest == Guest::halted);
}

TEST_CASE("an eject comes after the start, also when the device has come meanwhile") {
  const auto starting = must(Stranded{session(Guest::saved)}, without_device);
  const auto arrived = must(starting.state, DeviceAppeared{second_stay});
  const auto leaving = must(arrived.state, EjectAsked{});
  const auto reading = must(leaving.state, started(on_copies()));
  REQUIRE(std::holds_alternative<Examining>(reading.state));
  CHECK(std::get<Examining>(reading.state).work.removal == EjectAsked{Requester::person});
}
