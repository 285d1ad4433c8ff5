// Copies of a device: what this host has seen of the capsule and the device lacks.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/describe.hpp"
#include "core/samples.hpp"

namespace {

using namespace satchel;
using namespace satchel::core;
using namespace satchel::core::samples;
using How = Lacking::How;

const Policy resume{OnInsert::resume};

std::optional<Transition> step(const State& state, const Event& event) {
  return react(state, event, next_job, resume);
}

bool tells(const Transition& transition, Notice notice) {
  return std::any_of(transition.effects.begin(), transition.effects.end(), [&](const Effect& each) {
    const auto* tell = std::get_if<Tell>(&each);
    return tell != nullptr && tell->notice == notice;
  });
}

LaunchAsked launch_asked(ThisCopy this_copy, TakeOver take_over = TakeOver::no) {
  return {Requester::person, take_over, Memory::use, this_copy};
}

bool says(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a copy that lacks what this host saw is launched only when somebody says so") {
  for (const auto& [how, notice] : {std::pair(How::older_copy, Notice::older_copy),
                                    std::pair(How::another_branch, Notice::another_branch)}) {
    const auto examined = step(Examining{work(), {}}, Examined{under_way, found_lacking(how)});
    REQUIRE(examined);
    REQUIRE(name(examined->state) == "ready");
    CHECK(tells(*examined, notice));
    CHECK(says(detail(examined->state), "generation 3, left by bellows on 2026-"));
    CHECK(says(next_step(examined->state), "this-copy"));

    CHECK_FALSE(step(examined->state, launch_asked(ThisCopy::no)));
    CHECK(says(refusal(examined->state, LaunchAsked{}).what, "generation 3"));
    const auto launched = step(examined->state, launch_asked(ThisCopy::yes));
    REQUIRE(launched);
    CHECK(name(launched->state) == "launching");
  }
}

TEST_CASE("before a damaged generation is given up, somebody says so") {
  auto found = samples::found();
  found.lacks = Lacking{How::damaged, Sequence(3)};
  const auto examined = step(Examining{work(), {}}, Examined{under_way, found});
  REQUIRE(examined);
  CHECK(tells(*examined, Notice::newest_damaged));
  CHECK(says(detail(examined->state), "Generation 3, a newer one, is damaged on this device"));
  CHECK(says(next_step(examined->state), "satchelctl verify"));
  CHECK_FALSE(step(examined->state, launch_asked(ThisCopy::no)));
  CHECK(step(examined->state, launch_asked(ThisCopy::yes)));
  const auto beside = detail(Diverged{first_stay, found, session(Guest::saved)});
  CHECK(says(beside, "Generation 3, a newer one, is damaged on this device"));
  CHECK_FALSE(says(beside, "went on elsewhere"));
}

TEST_CASE("a copy that is checked out elsewhere as well needs both words") {
  auto both = found_checked_out();
  both.lacks = found_lacking(How::older_copy).lacks;
  const State ready = Ready{first_stay, both};
  CHECK_FALSE(step(ready, launch_asked(ThisCopy::yes)));
  CHECK_FALSE(step(ready, launch_asked(ThisCopy::no, TakeOver::yes)));
  CHECK(step(ready, launch_asked(ThisCopy::yes, TakeOver::yes)));
  const auto why = refusal(ready, LaunchAsked{});
  CHECK(says(why.what, "generation 3"));
  CHECK(says(why.what, "checked out by bellows"));
  CHECK(says(why.next, "this-copy and take-over"));
}

TEST_CASE("nothing on such a copy is merged by itself, or before it is said that it may") {
  const State copy = Ready{first_stay, found_lacking(How::older_copy)};
  CHECK_FALSE(step(copy, UpkeepDue{Upkeep::merge}));
  CHECK_FALSE(step(copy, UpkeepAsked{Upkeep::merge}));
  CHECK(says(refusal(copy, UpkeepAsked{Upkeep::merge}).next, "although-needed"));
  CHECK(step(copy, UpkeepAsked{Upkeep::merge, Although::go_on}));
  const auto ejected = step(copy, EjectAsked{Requester::person, MergeToo::yes});
  REQUIRE(ejected);
  CHECK(name(ejected->state) == "ejecting");
}

TEST_CASE("a launch asked for while a device is read is refused when it proves to be an old copy") {
  auto state = State(Examining{work(), {}});
  state = step(state, launch_asked(ThisCopy::no))->state;
  const auto examined = step(state, Examined{under_way, found_lacking(How::older_copy)});
  REQUIRE(examined);
  CHECK(name(examined->state) == "ready");
}

TEST_CASE("a session whose mark a copy has goes on with it, whatever else was seen") {
  auto marked = found_checked_out_by_us();
  marked.lacks = found_lacking(How::older_copy).lacks;
  const auto examined =
      step(Examining{work(), session(Guest::saved, 2)}, Examined{under_way, marked});
  REQUIRE(examined);
  CHECK(name(examined->state) == "launching");
}

TEST_CASE("a session does not go on with a copy from before it, and both are kept") {
  const auto examined = step(Examining{work(), session(Guest::saved, 2)},
                             Examined{under_way, found_lacking(How::older_copy)});
  REQUIRE(examined);
  REQUIRE(name(examined->state) == "diverged");
  CHECK(says(detail(examined->state), "The device is an older copy"));
  CHECK(session_of(examined->state) != nullptr);
}

TEST_CASE("of two copies that come back while the guest is saved the first is examined") {
  const auto saving = Stranded{session(Guest::halted), under_way};
  const auto first = step(saving, DeviceAppeared{first_stay});
  REQUIRE(first);
  CHECK_FALSE(step(first->state, DeviceAppeared{second_stay}));
  CHECK(device_of(first->state) == first_stay);
}

TEST_CASE("a second copy changes nothing for the one that is used") {
  for (const State& state :
       {State(Running{first_stay, found(), session(Guest::runs)}),
        State(Ready{first_stay, found()}), State(Ejecting{work(), found(), session(Guest::runs)}),
        State(Diverged{first_stay, found(3), session(Guest::saved)})}) {
    CAPTURE(name(state));
    CHECK_FALSE(step(state, DeviceAppeared{second_stay}));
    CHECK_FALSE(step(state, DeviceGone{second_stay}));
    CHECK_FALSE(step(state, DeviceReleased{second_stay}));
  }
}
