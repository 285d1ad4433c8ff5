// The way back to an earlier generation, as the state machine has it.
#include <catch2/catch.hpp>

#include "core/describe.hpp"
#include "core/samples.hpp"

namespace {

using namespace satchel;
using namespace satchel::core;
using namespace satchel::core::samples;

const Policy resume{OnInsert::resume};
const auto asked = RollbackAsked{Sequence(1)};

Transition must(const State& state, const Event& event) {
  auto step = react(state, event, next_job, resume);
  INFO(name(state) << " + " << name(event));
  REQUIRE(step);
  return std::move(*step);
}

/// On the way back from generation 3.
Examining going_back() { return {work(), {}, {}, found(3)}; }

}  // namespace

TEST_CASE("a machine at rest goes back, and is launched only when somebody asks") {
  const auto begun = must(Ready{first_stay, found(3)}, asked);
  REQUIRE(std::holds_alternative<Examining>(begun.state));
  CHECK_FALSE(can_unplug(begun.state));
  REQUIRE(begun.effects.size() == 1);
  CHECK(std::get<StartRollback>(begun.effects.front()).to == Sequence(1));

  const auto ended = must(going_back(), Examined{under_way, found(4)});
  REQUIRE(std::holds_alternative<Ready>(ended.state));
  CHECK(std::get<Ready>(ended.state).found.id == found(4).id);
  CHECK(ended.effects.empty());

  const auto wanted = must(going_back(), LaunchAsked{});
  CHECK(name(must(wanted.state, Examined{under_way, found(4)}).state) == "launching");
}

TEST_CASE("a way back that fails leaves the machine where it was") {
  const auto failed =
      must(going_back(), JobEnded{under_way, JobFailed{reason(), {}, DeviceHealth::works}});
  REQUIRE(std::holds_alternative<Ready>(failed.state));
  CHECK(std::get<Ready>(failed.state).found.id == found(3).id);
  CHECK(detail(failed.state).starts_with(reason().what));
  const auto lost =
      must(going_back(), JobEnded{under_way, JobFailed{reason(), {}, DeviceHealth::lost}});
  CHECK(name(lost.state) == "failed");
}

TEST_CASE("a machine whose files another host's session may need goes back when that is said") {
  auto needed = found(2);
  needed.needed_by = "bellows";
  const State at = Ready{first_stay, needed};
  CHECK(refusal(at, asked).what.find("bellows") != std::string::npos);
  CHECK(react(at, RollbackAsked{Sequence(1), Although::go_on}, next_job, resume));
}

TEST_CASE("only a machine at rest that nobody has checked out goes back") {
  for (const auto& [title, state] : samples::states()) {
    INFO(title);
    const auto* ready = std::get_if<Ready>(&state);
    const bool may = ready != nullptr && !ready->found.checked_out && !ready->found.lacks &&
                     ready->found.needed_by.empty();
    CHECK(react(state, asked, next_job, resume).has_value() == may);
    if (!may) CHECK_FALSE(refusal(state, asked).what.empty());
  }
}
