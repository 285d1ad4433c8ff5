// Merging, folding and compacting: in the background, and never in anybody's way.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "core/describe.hpp"
#include "core/samples.hpp"

namespace {

using namespace satchel;
using namespace satchel::core;
using namespace satchel::core::samples;

const Policy resume{OnInsert::resume};

Transition must(const State& state, const Event& event) {
  auto step = react(state, event, next_job, resume);
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

Running running(Guest guest) {
  return Running{first_stay, found_checked_out_by_us(), session(guest)};
}
Tending merging(Guest guest) {
  return Tending{Upkeep::merge, work(), found_checked_out_by_us(), session(guest)};
}

}  // namespace

TEST_CASE("what is due is done at rest and beside a guest, and the device is not to be pulled") {
  const std::map<Upkeep, std::string> names = {
      {Upkeep::merge, "merging"}, {Upkeep::fold, "folding"}, {Upkeep::compact, "compacting"}};
  for (const auto& [what, called] : names) {
    const State at_rest = Ready{first_stay, found()};
    for (const auto& state : {at_rest, State(running(Guest::runs)), State(running(Guest::paused)),
                              State(running(Guest::off))}) {
      const auto step = must(state, UpkeepDue{what});
      CHECK(name(step.state) == called);
      REQUIRE(effect<StartUpkeep>(step));
      CHECK(effect<StartUpkeep>(step)->what == what);
      CHECK(effect<StartUpkeep>(step)->by == Requester::policy);
      CHECK_FALSE(can_unplug(step.state));
      const auto ended = must(step.state, JobEnded{next_job, Done{found(4), {}}});
      CHECK(name(ended.state) == name(state));
      CHECK(found_of(ended.state)->id == found(4).id);
    }
  }
}

TEST_CASE("a guest whose disk failed, or whose last trouble is unread, is left alone by policy") {
  CHECK_FALSE(react(running(Guest::halted), UpkeepDue{Upkeep::merge}, next_job, resume));
  auto troubled = running(Guest::runs);
  troubled.trouble = reason();
  CHECK_FALSE(react(troubled, UpkeepDue{Upkeep::merge}, next_job, resume));
  CHECK(effect<StartUpkeep>(must(troubled, UpkeepAsked{Upkeep::merge})));
}

TEST_CASE("an eject ends a merge and goes on at once when it has ended, however it did") {
  const auto asked = must(merging(Guest::runs), EjectAsked{});
  CHECK(name(asked.state) == "merging");
  REQUIRE(effect<Cancel>(asked));
  const auto ends = std::vector<std::variant<Done, JobFailed, Cancelled>>{
      Done{found(4), session(Guest::runs)}, JobFailed{reason(), session(Guest::runs)},
      Cancelled{session(Guest::runs)}};
  for (const auto& end : ends) {
    const auto then = must(asked.state, JobEnded{under_way, end});
    CHECK(name(then.state) == "ejecting");
    CHECK(effect<StartEject>(then));
  }
  for (const State& rests : {State(Tending{Upkeep::fold, work(), found(), {}}),
                             State(Tending{Upkeep::compact, work(), found(), {}})}) {
    const auto at_rest = must(rests, EjectAsked{});
    CHECK(effect<Cancel>(at_rest));
    const auto released = must(at_rest.state, JobEnded{under_way, Cancelled{}});
    CHECK(effect<ReleaseDevice>(released));
  }
}

TEST_CASE("a launch ends a merge at rest and comes next") {
  const auto asked = must(Tending{Upkeep::merge, work(), found(), {}}, LaunchAsked{});
  CHECK(effect<Cancel>(asked));
  const auto then = must(asked.state, JobEnded{under_way, Cancelled{}});
  CHECK(name(then.state) == "launching");
  CHECK(effect<StartLaunch>(then));

  const auto boots = must(merging(Guest::off), LaunchAsked{});
  CHECK(effect<Cancel>(boots));
  CHECK(name(must(boots.state, JobEnded{under_way, Cancelled{}}).state) == "launching");
}

TEST_CASE("a paused guest is resumed without an end to the merge") {
  const auto step = must(merging(Guest::paused), LaunchAsked{});
  CHECK(effect<ResumeGuest>(step));
  CHECK_FALSE(effect<Cancel>(step));
  CHECK_FALSE(react(merging(Guest::runs), LaunchAsked{}, next_job, resume));
}

TEST_CASE("a device that is pulled during a merge halts the guest and strands the session") {
  const auto gone = must(merging(Guest::runs), DeviceGone{first_stay});
  CHECK(effect<PauseGuest>(gone));
  CHECK(effect<Cancel>(gone));
  const auto ended = must(gone.state, JobEnded{under_way, Cancelled{}});
  CHECK(name(ended.state) == "stranded");
  CHECK(effect<SaveStranded>(ended));

  const auto at_rest = must(Tending{Upkeep::merge, work(), found(), {}}, DeviceGone{first_stay});
  CHECK(name(must(at_rest.state, JobEnded{under_way, Cancelled{}}).state) == "absent");
}

TEST_CASE("what the guest does during a merge is noted") {
  const auto paused = must(merging(Guest::runs), GuestPaused{GuestPause::by_somebody});
  CHECK(session_of(paused.state)->guest == Guest::paused);
  const auto off = must(merging(Guest::runs), GuestStopped{GuestEnd::by_itself});
  CHECK(session_of(off.state)->guest == Guest::off);
  CHECK_FALSE(effect<Cancel>(off));
  const auto ended = must(off.state, JobEnded{under_way, Done{found(4), session(Guest::runs)}});
  CHECK(session_of(ended.state)->guest == Guest::off);
}

TEST_CASE("a merge that fails leaves the machine as it was, with the reason") {
  const auto step =
      must(merging(Guest::runs), JobEnded{under_way, JobFailed{reason(), session(Guest::runs)}});
  REQUIRE(name(step.state) == "running");
  CHECK(detail(step.state).find(reason().what) == 0);
}

TEST_CASE("files that another host's session may need are changed only when somebody says so") {
  for (const auto& needed : {found_needed(), found_checked_out()}) {
    const auto ready = Ready{first_stay, needed};
    CHECK_FALSE(react(ready, UpkeepDue{Upkeep::merge}, next_job, resume));
    CHECK_FALSE(react(ready, UpkeepAsked{Upkeep::fold}, next_job, resume));
    const auto why = refusal(ready, UpkeepAsked{Upkeep::fold});
    CHECK(why.what.find("bellows") != std::string::npos);
    CHECK(why.next.find("--although-needed") != std::string::npos);
    CHECK(effect<StartUpkeep>(must(ready, UpkeepAsked{Upkeep::fold, Although::go_on})));
  }
}

TEST_CASE(
    "an eject that merges too does that last, and from ready before the device is let go of") {
  const auto running_one = must(running(Guest::runs), EjectAsked{Requester::person, MergeToo::yes});
  REQUIRE(effect<StartEject>(running_one));
  CHECK(effect<StartEject>(running_one)->merge == MergeToo::yes);

  const auto at_rest =
      must(Ready{first_stay, found()}, EjectAsked{Requester::person, MergeToo::yes});
  CHECK(name(at_rest.state) == "merging");
  const auto then = must(at_rest.state, JobEnded{next_job, JobFailed{reason(), {}}});
  CHECK(effect<ReleaseDevice>(then));
}

TEST_CASE("an eject that merges too still does when it had to end something first") {
  const EjectAsked merging_too{Requester::person, MergeToo::yes};
  for (const auto what : {Upkeep::fold, Upkeep::compact}) {
    const auto beside =
        must(Tending{what, work(), found_checked_out_by_us(), session(Guest::runs)}, merging_too);
    CHECK(effect<Cancel>(beside));
    const auto ejects = must(beside.state, JobEnded{under_way, Cancelled{session(Guest::runs)}});
    REQUIRE(effect<StartEject>(ejects));
    CHECK(effect<StartEject>(ejects)->merge == MergeToo::yes);

    const auto at_rest = must(Tending{what, work(), found(), {}}, merging_too);
    const auto merges = must(at_rest.state, JobEnded{under_way, Cancelled{}});
    CHECK(name(merges.state) == "merging");
    CHECK(effect<ReleaseDevice>(must(merges.state, JobEnded{next_job, Done{found(4), {}}})));
  }
  const auto by_desktop =
      must(Tending{Upkeep::fold, work(), found(), {}}, EjectAsked{Requester::desktop});
  const auto also_merging = must(by_desktop.state, merging_too);
  CHECK(name(must(also_merging.state, JobEnded{under_way, Cancelled{}}).state) == "merging");

  const auto known = must(Tending{Upkeep::merge, work(), found(), {}}, merging_too);
  CHECK_FALSE(effect<Cancel>(known));
  CHECK(effect<ReleaseDevice>(must(known.state, JobEnded{under_way, Done{found(4), {}}})));

  const auto checkpointing =
      must(Checkpointing{work(), found_checked_out_by_us(), session(Guest::runs)}, merging_too);
  const auto ended = must(checkpointing.state, JobEnded{under_way, Done{found(4), {}}});
  REQUIRE(effect<StartEject>(ended));
  CHECK(effect<StartEject>(ended)->merge == MergeToo::yes);
}
