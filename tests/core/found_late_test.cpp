// A session that is found when libvirt is back, not at start-up: a launch had left it unknown.
#include <algorithm>
#include <catch2/catch.hpp>

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
bool has(const Transition& step) {
  return std::ranges::any_of(step.effects,
                             [](const Effect& each) { return std::holds_alternative<E>(each); });
}

}  // namespace

TEST_CASE("a session that is found late waits where its device is of no use yet") {
  const auto late = SessionFound{session(Guest::runs), first_stay};
  for (const State& state :
       {State(Locked{first_stay, {}}), State(Untrusted{first_stay, {}, "BLAKE2b:1"}),
        State(Failed{first_stay, {}, reason()})}) {
    CAPTURE(name(state));
    const auto step = must(state, late);
    CHECK(name(step.state) == name(state));
    REQUIRE(session_of(step.state));
    CHECK(session_of(step.state)->id == session(Guest::runs).id);
    // There is one session of a capsule: another is none.
    CHECK_FALSE(react(step.state, late, next_job, resume));
  }
}

TEST_CASE("a session that is found when its device was let go is saved on this computer") {
  const auto step =
      must(Safe{first_stay, found(1)}, SessionFound{session(Guest::runs), first_stay});
  CHECK(name(step.state) == "stranded");
  CHECK(has<PauseGuest>(step));
  CHECK(has<SaveStranded>(step));
}

TEST_CASE("a launch that was found never to have run is made again where launches are made") {
  const auto step =
      must(Ready{first_stay, found_checked_out_by_us()}, SessionFound{session(Guest::unborn), {}});
  CHECK(has<DropSession>(step));
  CHECK(name(step.state) == "launching");
}
