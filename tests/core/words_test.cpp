#include <catch2/catch.hpp>
#include <set>

#include "core/describe.hpp"
#include "core/samples.hpp"

using namespace satchel;
using namespace satchel::core;

TEST_CASE("instants are written in UTC") {
  CHECK(to_string(UnixMicros(0)) == "1970-01-01 00:00 UTC");
  CHECK(to_string(UnixMicros(1'795'340'099'999'999)) == "2026-11-22 09:34 UTC");
}

TEST_CASE("every state says what is going on, and what to do unless one has to wait") {
  for (const auto& [title, state] : samples::states()) {
    CAPTURE(title);
    CHECK(detail(state).back() == '.');
    if (!job_of(state)) CHECK_FALSE(next_step(state).empty());
  }
}

TEST_CASE("a device may be pulled exactly where nothing of ours is at work on it") {
  const std::set<std::string_view> allowed = {"absent", "locked",   "untrusted", "ready",
                                              "safe",   "stranded", "detached",  "failed"};
  for (const auto& [title, state] : samples::states()) {
    CAPTURE(title);
    const bool diverged_at_rest = name(state) == "diverged" && !job_of(state);
    CHECK(can_unplug(state) == (allowed.count(name(state)) == 1 || diverged_at_rest));
  }
}

TEST_CASE("states, events and effects have names of their own") {
  std::set<std::string_view> names;
  for (const auto& [title, state] : samples::states()) names.insert(name(state));
  CHECK(names.size() == std::variant_size_v<State> + 2);  // one for each kind of upkeep
  names.clear();
  for (const auto& [title, event] : samples::events()) names.insert(name(event));
  CHECK(names.size() == std::variant_size_v<Event>);
}
TEST_CASE("every asked event has an effect on a state or gets a sentence there") {
  for (const auto& [title, state] : samples::states())
    for (const auto& [label, event] : samples::events()) {
      if (!is_asked(event) || react(state, event, samples::next_job, {})) continue;
      CAPTURE(title, label);
      const auto why = refusal(state, event);
      CHECK_FALSE(why.what.empty());
      CHECK(why.what.back() == '.');
    }
}
