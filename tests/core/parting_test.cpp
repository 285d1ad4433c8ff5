// What repeated, late and unexpected events must not do, and what a restart of the daemon finds.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/describe.hpp"
#include "core/samples.hpp"

namespace {

using namespace satchel;
using namespace satchel::core;
using namespace satchel::core::samples;

Transition must(const State& state, const Event& event) {
  auto step = react(state, event, next_job, Policy{OnInsert::resume});
  INFO(name(state) << " + " << name(event));
  REQUIRE(step);
  return std::move(*step);
}

bool ignored(const State& state, const Event& event) {
  return !react(state, event, next_job, Policy{OnInsert::resume});
}

template <class E>
bool has(const Transition& step) {
  return std::any_of(step.effects.begin(), step.effects.end(),
                     [](const Effect& each) { return std::holds_alternative<E>(each); });
}

}  // namespace

TEST_CASE("a repeated report of the same insertion does nothing in any state") {
  for (const auto& [title, state] : states()) {
    if (device_of(state) != first_stay) continue;
    CAPTURE(title);
    CHECK(ignored(state, DeviceAppeared{first_stay}));
  }
}

TEST_CASE("a report that an earlier insertion is gone does nothing") {
  const auto device = Insertion(9);
  CHECK(ignored(Running{device, found(), session(Guest::runs)}, DeviceGone{first_stay}));
  CHECK(ignored(Ready{device, found()}, DeviceGone{first_stay}));
}

TEST_CASE("a released device that udev reports once more stays safe, a new insertion does not") {
  const State safe = Safe{first_stay, found()};
  CHECK(ignored(safe, DeviceAppeared{first_stay}));
  CHECK(name(must(safe, DeviceAppeared{second_stay}).state) == "examining");
  CHECK(name(must(safe, DeviceGone{first_stay}).state) == "absent");
}

TEST_CASE("late news of a guest that waits for its device don't let it go on without that") {
  const auto pulled = must(Launching{work(), found(), {}}, DeviceGone{first_stay});
  const auto back = must(pulled.state, DeviceAppeared{second_stay});
  // The launch had come too far to be cancelled.
  const auto step =
      must(back.state, JobEnded{under_way, Done{found_checked_out_by_us(), session(Guest::runs)}});
  REQUIRE(name(step.state) == "examining");
  CHECK(has<PauseGuest>(step));
  for (const Event& late :
       std::vector<Event>{GuestResumed{}, GuestPaused{GuestPause::by_somebody}}) {
    const auto noted = react(step.state, late, next_job, Policy{OnInsert::resume});
    const auto& state = noted ? noted->state : step.state;
    CHECK(session_of(state)->guest == Guest::halted);
    const auto found_again = must(state, Examined{next_job, found_checked_out_by_us()});
    CHECK(name(found_again.state) == "launching");
    CHECK(has<Reattach>(found_again));
  }
}

TEST_CASE("the late end of another job is ignored") {
  for (const auto& [title, state] : states()) {
    CAPTURE(title);
    CHECK(ignored(state, JobEnded{JobId(3), Cancelled{}}));
  }
}

TEST_CASE("a restart of the daemon leaves a running guest alone") {
  const auto told = must(Absent{}, SessionFound{session(Guest::runs), first_stay});
  CHECK(name(told.state) == "examining");
  CHECK(ignored(told.state, DeviceAppeared{first_stay}));
  const auto step = must(told.state, Examined{next_job, found_checked_out_by_us()});
  CHECK(name(step.state) == "running");
  CHECK(step.effects.empty());
}

TEST_CASE("a restart of the daemon without the device strands a running guest") {
  const auto step = must(Absent{}, SessionFound{session(Guest::runs), {}});
  CHECK(name(step.state) == "stranded");
  CHECK(has<PauseGuest>(step));
  CHECK(has<SaveStranded>(step));
}

TEST_CASE("a launch cut short before the guest lived is undone and tried again") {
  auto unborn = session(Guest::unborn);
  const auto told = must(Absent{}, SessionFound{unborn, first_stay});
  const auto step = must(told.state, Examined{next_job, found_checked_out_by_us()});
  CHECK(name(step.state) == "launching");
  CHECK(has<DropSession>(step));
  CHECK(has<StartLaunch>(step));
}

TEST_CASE("an eject that was committed before the daemon died is known as such") {
  auto ended = session(Guest::off);
  ended.committing = found(2).id;
  const auto told = must(Absent{}, SessionFound{ended, first_stay});
  const auto step = must(told.state, Examined{next_job, found(2)});
  CHECK(has<DropSession>(step));
  CHECK_FALSE(session_of(step.state));
}

TEST_CASE("an eject from which another host went on is known as such, as long as history tells") {
  auto ended = session(Guest::off);
  ended.committing = found(2).id;
  const auto told = must(Absent{}, SessionFound{ended, first_stay});
  auto later = GENERATE(found(3), found_checked_out());
  later.holds_our_eject = true;
  const auto step = must(told.state, Examined{next_job, later});
  CHECK(has<DropSession>(step));
  CHECK_FALSE(session_of(step.state));

  later.holds_our_eject = false;
  CHECK(name(must(told.state, Examined{next_job, later}).state) == "diverged");

  // What it did after that eject is nowhere else.
  later.holds_our_eject = true;
  ended.since_commit = Since::ran_on;
  const auto ran_on = must(Absent{}, SessionFound{ended, first_stay});
  CHECK(name(must(ran_on.state, Examined{next_job, later}).state) == "diverged");
}

TEST_CASE("a guest that outlived a committed eject is still this host's session") {
  auto alive = session(Guest::runs);
  alive.committing = found(2).id;
  const auto told = must(Absent{}, SessionFound{alive, first_stay});
  const auto step = must(told.state, Examined{next_job, found(2)});
  CHECK(name(step.state) == "running");
  CHECK_FALSE(has<DropSession>(step));
}

TEST_CASE("an eject that fails when its guest is gone and the device has it has succeeded") {
  auto ended = session(Guest::off);
  ended.committing = found(2).id;
  const State ejecting = Ejecting{work(), found(), session(Guest::runs)};
  const auto step = must(
      ejecting, JobEnded{under_way, JobFailed{reason(), ended, DeviceHealth::works, found(2)}});
  REQUIRE(name(step.state) == "ready");
  CHECK(has<DropSession>(step));
  CHECK(found_of(step.state)->id == found(2).id);

  ended.since_commit = Since::ran_on;
  const auto kept = must(
      ejecting, JobEnded{under_way, JobFailed{reason(), ended, DeviceHealth::works, found(2)}});
  CHECK(name(kept.state) == "running");
  CHECK_FALSE(has<DropSession>(kept));
}

TEST_CASE("a guest that an eject lost sight of is checked in when it is gone, and only then") {
  auto unknown = session(Guest::runs);
  unknown.committing = found(2).id;
  const State running = Running{first_stay, found(2), unknown};
  const auto gone = must(running, GuestStopped{GuestEnd::by_host});
  CHECK(name(gone.state) == "ready");
  CHECK(has<DropSession>(gone));

  // It has done more than the device holds, which says that its session has ended.
  const auto alive = must(running, GuestResumed{});
  REQUIRE(name(alive.state) == "examining");
  CHECK(session_of(alive.state)->since_commit == Since::ran_on);
  auto marked = found_checked_out_by_us();
  const auto goes_on = must(alive.state, Examined{next_job, marked});
  REQUIRE(name(goes_on.state) == "running");
  const auto off = must(goes_on.state, GuestStopped{GuestEnd::by_itself});
  CHECK(name(off.state) == "running");
  CHECK_FALSE(has<DropSession>(off));
  CHECK(ignored(goes_on.state, GuestResumed{}));
}

TEST_CASE("a device lacks the mark of a session that goes on after its commit, and of no other") {
  auto after = session(Guest::runs);
  after.committing = found(2).id;
  CHECK(is_unmarked(after, found(2)));
  CHECK_FALSE(is_unmarked(after, found_checked_out_by_us()));
  CHECK_FALSE(is_unmarked(after, found_checked_out()));
  CHECK_FALSE(is_unmarked(after, found(3)));
  after.guest = Guest::off;
  CHECK_FALSE(is_unmarked(after, found(2)));
  after.since_commit = Since::ran_on;
  CHECK(is_unmarked(after, found(2)));
  after.guest = Guest::unborn;
  CHECK_FALSE(is_unmarked(after, found(2)));
}

TEST_CASE("a failed examination around a running guest neither pauses it nor allows unplugging") {
  const auto told = must(Absent{}, SessionFound{session(Guest::runs), first_stay});
  const auto failed = must(told.state, Examined{next_job, reason()});
  REQUIRE(name(failed.state) == "failed");
  CHECK_FALSE(has<PauseGuest>(failed));
  CHECK_FALSE(can_unplug(failed.state));
  CHECK(name(must(failed.state, EjectAsked{}).state) == "examining");
  CHECK(name(must(failed.state, DeviceGone{first_stay}).state) == "stranded");
}

TEST_CASE("a guest that could not be given its device again waits and can be tried again") {
  const State launching = Launching{work(), found(), session(Guest::saved), LaunchFrom::reattached};
  const auto failed = must(launching, JobEnded{under_way, JobFailed{reason(), {}}});
  REQUIRE(name(failed.state) == "stranded");
  CHECK(session_of(failed.state)->guest == Guest::saved);
  CHECK(next_step(failed.state) == reason().next);
  CHECK(ignored(failed.state, DeviceAppeared{first_stay}));
  CHECK(name(must(failed.state, LaunchAsked{}).state) == "examining");
}

TEST_CASE("a guest without its device is given it anew, whatever is said of it meanwhile") {
  const State saving = Stranded{session(Guest::halted), under_way};
  const auto failed =
      must(saving, JobEnded{under_way, JobFailed{reason(), session(Guest::paused)}});
  REQUIRE(name(failed.state) == "stranded");
  for (const Event& said : {Event(GuestPaused{GuestPause::by_somebody}), Event(GuestResumed{})})
    CHECK(ignored(failed.state, said));
  const auto back = must(failed.state, DeviceAppeared{second_stay});
  const auto on = must(back.state, Examined{next_job, found()});
  CHECK(name(on.state) == "launching");
  CHECK(has<Reattach>(on));
}

TEST_CASE(
    "a guest that is still only in memory is saved when the host shuts down or somebody asks") {
  const State halted = Stranded{session(Guest::halted)};
  for (const auto by : {Requester::host_shutdown, Requester::person, Requester::desktop})
    CHECK(has<SaveStranded>(must(halted, EjectAsked{by})));
  // One whose device is in its port has that let go of.
  const State idle = Stranded{session(Guest::halted), {}, {}, first_stay};
  CHECK(has<SaveStranded>(must(idle, EjectAsked{Requester::host_shutdown})));
  CHECK(has<ReleaseDevice>(must(idle, EjectAsked{Requester::person})));
  CHECK(ignored(Stranded{session(Guest::saved)}, EjectAsked{Requester::person}));
  // What is saved already needs nothing when the computer goes down.
  const State done = Stranded{session(Guest::saved), {}, {}, first_stay};
  CHECK(ignored(done, EjectAsked{Requester::host_shutdown}));
  // Who asks while it is being saved is given the job that does it.
  const State saving = Stranded{session(Guest::halted), under_way};
  CHECK(job_of(must(saving, EjectAsked{Requester::person}).state) == under_way);
  const State saving_beside = Stranded{session(Guest::halted), under_way, {}, first_stay};
  const auto asked = must(saving_beside, EjectAsked{Requester::host_shutdown});
  CHECK(job_of(asked.state) == under_way);
  CHECK(asked.effects.empty());
}

TEST_CASE("a guest whose save failed is saved when that is due, once at a time") {
  const State halted = Stranded{session(Guest::halted), {}, {}, {}, reason()};
  const auto again = must(halted, SaveDue{});
  CHECK(has<SaveStranded>(again));
  CHECK(ignored(again.state, SaveDue{}));
  const auto failed =
      must(again.state, JobEnded{next_job, JobFailed{reason(), session(Guest::paused)}});
  REQUIRE(has<Tell>(failed));
  CHECK(std::get<Tell>(failed.effects.back()).notice == Notice::save_failed);
  const auto saved = must(must(failed.state, SaveDue{}).state, JobEnded{next_job, Done{}});
  CHECK(session_of(saved.state)->guest == Guest::saved);
  CHECK(ignored(saved.state, SaveDue{}));
  CHECK(ignored(Stranded{session(Guest::off)}, SaveDue{}));
  // Found alive after all, once libvirt could be asked.
  for (const auto guest : {Guest::saved, Guest::off}) {
    const State mistaken = Stranded{session(guest)};
    const auto saving = must(mistaken, SaveDue{SaveDue::Guest::found_alive});
    CHECK(has<SaveStranded>(saving));
    CHECK(ignored(saving.state, SaveDue{SaveDue::Guest::found_alive}));
  }
}

TEST_CASE("a stranded session can be discarded by its user") {
  const auto step = must(Stranded{session(Guest::saved)}, ChoiceMade{Choice::discard_ours});
  CHECK(name(step.state) == "absent");
  CHECK(has<DropSession>(step));
}

TEST_CASE("a stranded session becomes plain files, and is given up when it is") {
  const auto begun = must(Stranded{session(Guest::saved)}, ChoiceMade{Choice::export_ours});
  REQUIRE(has<Resolve>(begun));
  CHECK(ignored(begun.state, LaunchAsked{}));
  CHECK(ignored(begun.state, ChoiceMade{Choice::discard_ours}));
  CHECK(has<Cancel>(must(begun.state, CancelAsked{})));
  CHECK(has<Cancel>(must(begun.state, EjectAsked{Requester::host_shutdown})));
  const auto done = must(begun.state, JobEnded{next_job, Done{}});
  CHECK(has<DropSession>(done));
  CHECK(name(done.state) == "absent");

  const auto back = must(begun.state, DeviceAppeared{second_stay});
  CHECK(name(back.state) == "stranded");
  const auto kept = must(back.state, JobEnded{next_job, JobFailed{reason(), {}}});
  CHECK(name(kept.state) == "examining");
  CHECK(session_of(kept.state)->id == session(Guest::saved).id);
  const auto given_up = must(back.state, JobEnded{next_job, Done{}});
  CHECK(name(given_up.state) == "examining");
  CHECK(session_of(given_up.state) == nullptr);

  // Let go of again meanwhile, it is not used.
  CHECK(ignored(back.state, EjectAsked{}));
  const auto released = must(back.state, DeviceReleased{second_stay});
  CHECK(name(must(released.state, JobEnded{next_job, Cancelled{}}).state) == "stranded");
  CHECK(name(must(released.state, JobEnded{next_job, Done{}}).state) == "safe");
}

TEST_CASE("a guest that went off with the power can be checked in, booted or discarded") {
  const auto told = must(Absent{}, SessionFound{session(Guest::off), first_stay});
  const auto off = must(told.state, Examined{next_job, found_checked_out_by_us()});
  REQUIRE(name(off.state) == "running");
  CHECK_FALSE(has<StartLaunch>(off));
  CHECK(has<StartEject>(must(off.state, EjectAsked{})));
  CHECK(has<StartLaunch>(must(off.state, LaunchAsked{})));
  const auto discarded = must(off.state, ChoiceMade{Choice::discard_ours});
  REQUIRE(name(discarded.state) == "ready");
  CHECK(has<StartLaunch>(must(discarded.state, LaunchAsked{})));
}

TEST_CASE("a pack leaves the machine running or at rest") {
  CHECK(name(must(Absent{}, Packed{first_stay, found(), session(Guest::runs)}).state) == "running");
  CHECK(name(must(Absent{}, Packed{first_stay, found(), {}}).state) == "ready");
}

TEST_CASE("a capsule that was deleted is gone, but never one that is in use") {
  CHECK(name(must(Ready{first_stay, found()}, CapsuleRemoved{}).state) == "absent");
  CHECK(ignored(Running{first_stay, found(), session(Guest::runs)}, CapsuleRemoved{}));
}

TEST_CASE("a guest halted by an error goes on when it is asked to") {
  const auto halted =
      must(Running{first_stay, found(), session(Guest::runs)}, GuestPaused{GuestPause::by_error});
  CHECK(session_of(halted.state)->guest == Guest::halted);
  CHECK(has<ResumeGuest>(must(halted.state, LaunchAsked{})));
  const auto resumed = must(halted.state, GuestResumed{});
  CHECK(session_of(resumed.state)->guest == Guest::runs);
}

TEST_CASE(
    "a device pulled while a checkpoint is written pauses the guest before the job has ended") {
  const State checkpointing = Checkpointing{work(), found(), session(Guest::runs)};
  const auto pulled = must(checkpointing, DeviceGone{first_stay});
  CHECK(has<PauseGuest>(pulled));
  CHECK(has<Cancel>(pulled));
  const auto ended = must(pulled.state, JobEnded{under_way, Cancelled{}});
  REQUIRE(name(ended.state) == "stranded");
  CHECK(has<SaveStranded>(ended));
  CHECK_FALSE(has<PauseGuest>(ended));
}
