// One case for each row of the design's table of the per-host state machine.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/describe.hpp"
#include "core/samples.hpp"

namespace {

using namespace satchel;
using namespace satchel::core;
using namespace satchel::core::samples;

const Policy resume{OnInsert::resume};
const Policy ask{OnInsert::ask};

Transition must(const State& state, const Event& event, const Policy& policy = resume) {
  auto step = react(state, event, next_job, policy);
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

bool tells(const Transition& step, Notice notice) {
  return std::any_of(step.effects.begin(), step.effects.end(), [&](const Effect& each) {
    const auto* tell = std::get_if<Tell>(&each);
    return tell != nullptr && tell->notice == notice;
  });
}

const Examining examining{work(), {}};

}  // namespace

TEST_CASE("a device that appears is examined") {
  const auto step = must(Absent{}, DeviceAppeared{first_stay});
  CHECK(name(step.state) == "examining");
  REQUIRE(effect<StartExamine>(step));
  CHECK(effect<StartExamine>(step)->device == first_stay);
}

TEST_CASE("an examination ends ready, locked, untrusted or failed, with a reason and a next step") {
  CHECK(name(must(examining, Examined{under_way, found()}, ask).state) == "ready");
  CHECK(name(must(examining, Examined{under_way, NeedsUnlock{}}).state) == "locked");
  CHECK(name(must(examining, Examined{under_way, NeedsTrust{"12"}}).state) == "untrusted");
  const auto failed = must(examining, Examined{under_way, reason()});
  CHECK(name(failed.state) == "failed");
  CHECK(detail(failed.state) == reason().what);
  CHECK(next_step(failed.state) == reason().next);
}

TEST_CASE("an unlocked or newly trusted device is examined again") {
  CHECK(name(must(Locked{first_stay, {}}, UnlockGiven{}).state) == "examining");
  CHECK(name(must(Untrusted{first_stay, {}, "12"}, TrustGiven{}).state) == "examining");
}

TEST_CASE("a ready machine resumes by itself when the host says so, and waits when it says ask") {
  const auto by_itself = must(examining, Examined{under_way, found()}, resume);
  CHECK(name(by_itself.state) == "launching");
  REQUIRE(effect<StartLaunch>(by_itself));
  CHECK(effect<StartLaunch>(by_itself)->from == LaunchFrom::memory);

  const auto waits = must(examining, Examined{under_way, found()}, ask);
  CHECK(name(waits.state) == "ready");
  CHECK(tells(waits, Notice::ready));
  CHECK(name(must(waits.state, LaunchAsked{}, ask).state) == "launching");
}

TEST_CASE("a launch that has ended runs") {
  const auto launching = Launching{work(), found(), {}, LaunchFrom::memory};
  const auto step =
      must(launching, JobEnded{under_way, Done{found_checked_out_by_us(), session(Guest::runs)}});
  CHECK(name(step.state) == "running");
  CHECK(tells(step, Notice::running));
}

TEST_CASE("a failed launch leaves the machine ready with the reason, and is not tried again") {
  const auto launching = Launching{work(), found(), {}, LaunchFrom::memory};
  const auto step = must(launching, JobEnded{under_way, JobFailed{reason(), {}}});
  REQUIRE(name(step.state) == "ready");
  CHECK(tells(step, Notice::launch_failed));
  CHECK(detail(step.state).find(reason().what) == 0);
  CHECK(next_step(step.state) == reason().next);
}

TEST_CASE("a failed or cancelled launch knows the generation that undoing it made") {
  const auto launching = Launching{work(), found(), {}, LaunchFrom::memory};
  const auto failed =
      must(launching, JobEnded{under_way, JobFailed{reason(), {}, DeviceHealth::works, found(3)}});
  CHECK(std::get<Ready>(failed.state).found == found(3));
  const auto cancelled = must(launching, JobEnded{under_way, Cancelled{{}, found(3)}});
  CHECK(std::get<Ready>(cancelled.state).found == found(3));
}

TEST_CASE("a machine whose memory can't resume here may be booted instead") {
  const auto step = must(Ready{first_stay, found()},
                         LaunchAsked{Requester::person, TakeOver::no, Memory::ignore});
  REQUIRE(effect<StartLaunch>(step));
  CHECK(effect<StartLaunch>(step)->from == LaunchFrom::disk);
}

TEST_CASE("an eject saves the machine, and only its end makes the device safe to pull") {
  const auto begun = must(Running{first_stay, found(), session(Guest::runs)}, EjectAsked{});
  CHECK(name(begun.state) == "ejecting");
  CHECK(effect<StartEject>(begun));
  CHECK_FALSE(can_unplug(begun.state));

  const auto ended = must(begun.state, JobEnded{next_job, Done{found(2), {}, DeviceUse::released}});
  CHECK(name(ended.state) == "safe");
  CHECK(can_unplug(ended.state));
  CHECK(tells(ended, Notice::safe));
  REQUIRE(effect<DropSession>(ended));
  CHECK(effect<DropSession>(ended)->cause == DropCause::checked_in);
}

TEST_CASE("whoever asks for an eject gets the same one") {
  for (const auto by : {Requester::person, Requester::desktop, Requester::host_shutdown}) {
    const auto step = must(Running{first_stay, found(), session(Guest::runs)}, EjectAsked{by});
    REQUIRE(effect<StartEject>(step));
    CHECK(effect<StartEject>(step)->by == by);
  }
}

TEST_CASE("a file manager that asks again every two seconds changes nothing") {
  const auto ejecting = Ejecting{work(), found(), session(Guest::runs)};
  const auto step = must(ejecting, EjectAsked{Requester::desktop});
  CHECK(step.state == State(ejecting));
  CHECK(step.effects.empty());
}

TEST_CASE("safely remove while ready releases the device") {
  const auto begun = must(Ready{first_stay, found()}, EjectAsked{Requester::desktop});
  CHECK(name(begun.state) == "ejecting");
  CHECK(effect<ReleaseDevice>(begun));
  const auto ended = must(begun.state, JobEnded{next_job, Done{{}, {}, DeviceUse::released}});
  CHECK(name(ended.state) == "safe");
}

TEST_CASE("an eject that fails leaves the machine running with the reason") {
  const auto ejecting = Ejecting{work(), found(), session(Guest::runs)};
  const auto step = must(ejecting, JobEnded{under_way, JobFailed{reason(), session(Guest::runs)}});
  REQUIRE(name(step.state) == "running");
  CHECK(session_of(step.state)->guest == Guest::runs);
  CHECK(tells(step, Notice::eject_failed));
  CHECK(detail(step.state).find(reason().what) == 0);
}

TEST_CASE("an eject asked for while launching or checkpointing is done when that has ended") {
  const auto launching = Launching{work(), found(), {}, LaunchFrom::memory};
  const auto remembered = must(launching, EjectAsked{});
  CHECK(name(remembered.state) == "launching");
  const auto then =
      must(remembered.state, JobEnded{under_way, Done{found(), session(Guest::runs)}});
  CHECK(name(then.state) == "ejecting");
  CHECK(effect<StartEject>(then));

  const auto undone = must(remembered.state, JobEnded{under_way, Cancelled{}});
  CHECK(name(undone.state) == "ejecting");
  CHECK(effect<ReleaseDevice>(undone));

  const auto checkpointing = Checkpointing{work(), found(), session(Guest::runs)};
  const auto later = must(checkpointing, EjectAsked{});
  CHECK(name(later.state) == "checkpointing");
  CHECK(effect<StartEject>(
      must(later.state, JobEnded{under_way, Done{found(2), session(Guest::runs, 2)}})));
}

TEST_CASE("a machine whose neighbour on the device still runs is ready after its eject") {
  const auto ejecting = Ejecting{work(), found(), session(Guest::runs)};
  const auto step = must(ejecting, JobEnded{under_way, Done{found(2), {}, DeviceUse::kept}});
  REQUIRE(name(step.state) == "ready");
  CHECK_FALSE(session_of(step.state));
  CHECK(name(must(step.state, DeviceReleased{first_stay}).state) == "safe");
}

TEST_CASE("a guest whose device is pulled is paused at once and saved on the host") {
  const auto step =
      must(Running{first_stay, found(), session(Guest::runs)}, DeviceGone{first_stay});
  REQUIRE(name(step.state) == "stranded");
  REQUIRE_FALSE(step.effects.empty());
  CHECK(std::holds_alternative<PauseGuest>(step.effects.front()));
  CHECK(effect<SaveStranded>(step));
  CHECK(tells(step, Notice::stranded));
  const auto saved = must(step.state, JobEnded{next_job, Done{}});
  CHECK(session_of(saved.state)->guest == Guest::saved);
}

TEST_CASE("the same device back at the same generation goes on where it was, even under ask") {
  const auto stranded = Stranded{session(Guest::saved)};
  const auto back = must(stranded, DeviceAppeared{second_stay}, ask);
  REQUIRE(name(back.state) == "examining");
  const auto on = must(back.state, Examined{next_job, found()}, ask);
  CHECK(name(on.state) == "launching");
  CHECK(effect<Reattach>(on));
  const auto runs = must(on.state, JobEnded{next_job, Done{found(), session(Guest::runs)}});
  CHECK(name(runs.state) == "running");
}

TEST_CASE("the session's own check-out mark on the device is the same generation") {
  const auto back = Examining{work(), session(Guest::saved)};
  const auto step = must(back, Examined{under_way, found_checked_out_by_us()});
  CHECK(effect<Reattach>(step));
}

TEST_CASE("a device that comes back while the machine is being saved is examined after it") {
  const auto saving = Stranded{session(Guest::halted), under_way};
  const auto waits = must(saving, DeviceAppeared{second_stay});
  CHECK(name(waits.state) == "stranded");
  const auto then = must(waits.state, JobEnded{under_way, Done{}});
  CHECK(name(then.state) == "examining");
  CHECK(session_of(then.state)->guest == Guest::saved);
}

TEST_CASE("a device pulled while ejecting leaves a guest that lives, and nothing is lost") {
  const auto ejecting = Ejecting{work(), found(), session(Guest::runs)};
  const auto pulled = must(ejecting, DeviceGone{first_stay});
  CHECK(name(pulled.state) == "ejecting");
  CHECK(effect<Cancel>(pulled));
  const auto step =
      must(pulled.state,
           JobEnded{under_way, JobFailed{reason(), session(Guest::runs), DeviceHealth::lost}});
  REQUIRE(name(step.state) == "stranded");
  CHECK(effect<PauseGuest>(step));
  CHECK(effect<SaveStranded>(step));
}

TEST_CASE("a device pulled and put back while ejecting is examined, with the guest waiting") {
  const auto pulled = must(Ejecting{work(), found(), session(Guest::runs)}, DeviceGone{first_stay});
  const auto back = must(pulled.state, DeviceAppeared{second_stay});
  const auto step =
      must(back.state, JobEnded{under_way, JobFailed{reason(), {}, DeviceHealth::lost}});
  REQUIRE(name(step.state) == "examining");
  CHECK(effect<PauseGuest>(step));
  CHECK(session_of(step.state)->guest == Guest::halted);
}

TEST_CASE("a stranded session whose device was committed elsewhere has diverged, both kept") {
  const auto step = must(Examining{work(), session(Guest::saved)}, Examined{under_way, found(3)});
  REQUIRE(name(step.state) == "diverged");
  CHECK(tells(step, Notice::diverged));
  CHECK(session_of(step.state));
  CHECK_FALSE(effect<DropSession>(step));
}

TEST_CASE("a stranded session whose device another host has checked out has diverged as well") {
  const auto step =
      must(Examining{work(), session(Guest::saved)}, Examined{under_way, found_checked_out()});
  CHECK(name(step.state) == "diverged");
}

TEST_CASE("of two histories the user chooses, and only the user") {
  const State diverged = Diverged{first_stay, found(3), session(Guest::saved)};
  CHECK_FALSE(react(diverged, LaunchAsked{}, next_job, resume));

  const auto theirs = must(diverged, ChoiceMade{Choice::continue_device});
  CHECK(name(theirs.state) == "launching");
  CHECK(effect<DropSession>(theirs)->cause == DropCause::discarded);

  const auto both = must(diverged, ChoiceMade{Choice::keep_both});
  CHECK(effect<Resolve>(both));
  CHECK_FALSE(effect<DropSession>(both));
  CHECK_FALSE(can_unplug(both.state));
  const auto kept = must(both.state, JobEnded{next_job, Done{}});
  CHECK(name(kept.state) == "ready");
  CHECK(effect<DropSession>(kept)->cause == DropCause::resolved);
  const auto failed = must(both.state, JobEnded{next_job, JobFailed{reason(), {}}});
  CHECK(name(failed.state) == "diverged");
  CHECK_FALSE(effect<DropSession>(failed));

  CHECK(effect<Resolve>(must(diverged, ChoiceMade{Choice::export_ours})));
  CHECK(name(must(diverged, ChoiceMade{Choice::discard_ours}).state) == "ready");
}

TEST_CASE("no session is given up for a machine that could not be launched then") {
  auto theirs = found_checked_out();
  theirs.id = found(3).id;
  const State diverged = Diverged{first_stay, theirs, session(Guest::saved)};
  const ChoiceMade choice{Choice::continue_device};
  REQUIRE_FALSE(react(diverged, choice, next_job, resume));
  CHECK(refusal(diverged, choice).what.find("checked out by bellows") != std::string::npos);
  CHECK(refusal(diverged, choice).next.find("discard this computer's") != std::string::npos);
  CHECK(next_step(diverged).find("continue the device's") == std::string::npos);
  const State older =
      Diverged{first_stay, found_lacking(Lacking::How::older_copy), session(Guest::saved)};
  CHECK_FALSE(react(older, choice, next_job, resume));

  // Who means it says so twice.
  const auto given_up = must(diverged, ChoiceMade{Choice::discard_ours});
  REQUIRE(name(given_up.state) == "ready");
  CHECK(effect<DropSession>(given_up)->cause == DropCause::discarded);
  CHECK_FALSE(react(given_up.state, LaunchAsked{}, next_job, resume));
  CHECK(effect<StartLaunch>(
      must(given_up.state, LaunchAsked{Requester::person, TakeOver::yes, Memory::use})));
}

TEST_CASE("what another host has checked out is never launched automatically") {
  const auto step = must(examining, Examined{under_way, found_checked_out()}, resume);
  REQUIRE(name(step.state) == "ready");
  CHECK(tells(step, Notice::checked_out_elsewhere));
  CHECK(detail(step.state).find("bellows") != std::string::npos);

  REQUIRE_FALSE(react(step.state, LaunchAsked{}, next_job, resume));
  CHECK(refusal(step.state, LaunchAsked{}).what.find("bellows") != std::string::npos);
  const auto take_over = LaunchAsked{Requester::person, TakeOver::yes, Memory::use};
  CHECK(name(must(step.state, take_over).state) == "launching");
}

TEST_CASE(
    "a guest that shuts itself down is checked in by the next eject and boots at the next insert") {
  const auto off =
      must(Running{first_stay, found(), session(Guest::runs)}, GuestStopped{GuestEnd::by_itself});
  REQUIRE(name(off.state) == "running");
  CHECK(session_of(off.state)->guest == Guest::off);
  CHECK(tells(off, Notice::guest_off));
  CHECK_FALSE(can_unplug(off.state));
  CHECK(effect<StartEject>(must(off.state, EjectAsked{})));
  const auto again = must(off.state, LaunchAsked{});
  CHECK(effect<StartLaunch>(again)->from == LaunchFrom::session);

  auto without_memory = found(2);
  without_memory.has_memory = false;
  const auto boots = must(examining, Examined{under_way, without_memory});
  CHECK(effect<StartLaunch>(boots)->from == LaunchFrom::disk);
}

TEST_CASE("a checkpoint is made while the guest runs, when asked for or when due") {
  const State running = Running{first_stay, found(), session(Guest::runs)};
  CHECK(effect<StartCheckpoint>(must(running, CheckpointAsked{})));
  CHECK(effect<StartCheckpoint>(must(running, CheckpointDue{})));
  const State off = Running{first_stay, found(), session(Guest::off)};
  CHECK_FALSE(react(off, CheckpointDue{}, next_job, resume));
}
