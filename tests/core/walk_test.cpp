// Random event sequences, plausible and implausible, against what must hold in every state.
#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>
#include <set>

#include "core/describe.hpp"
#include "core/random_events.hpp"
#include "core/samples.hpp"

namespace {

using namespace satchel;
using namespace satchel::core;
using samples::Random;

std::optional<JobId> begun_by(const Effect& effect) {
  return std::visit(
      [](const auto& what) -> std::optional<JobId> {
        using T = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<T, Cancel>)
          return std::nullopt;
        else if constexpr (requires { what.job; })
          return what.job;
        else
          return std::nullopt;
      },
      effect);
}

template <class... T>
bool is_one(const Effect& effect) {
  return (std::holds_alternative<T>(effect) || ...);
}

// Performs nothing, but keeps the books that a runtime would keep, and checks them.
struct Books {
  State state = Absent{};
  std::uint64_t last_job = 0;
  std::optional<JobId> open;
  bool writing = false;
  Policy policy{};
  std::set<std::string_view> visited;

  void feed(const Event& event) {
    const auto next = JobId(last_job + 1);
    const auto step = react(state, event, next, policy);
    CAPTURE(name(state), name(event));
    if (!step) {
      if (is_asked(event)) REQUIRE_FALSE(refusal(state, event).what.empty());
      return;
    }
    close_job_of(event);
    check_upkeep(*step, event);
    check_copy(*step, event);
    for (const auto& effect : step->effects) {
      const auto begun = begun_by(effect);
      if (!begun) continue;
      REQUIRE_FALSE(open);  // one job at most
      REQUIRE(*begun == next);
      open = begun;
      writing = is_one<StartLaunch, Reattach, StartEject, StartCheckpoint, StartUpkeep,
                       StartRollback, Resolve>(effect);
      last_job = begun->value;
    }
    check_session(*step, event);
    state = step->state;
    REQUIRE(job_of(state) == open);
    // An export of what this host has does not touch the device.
    if (writing && open && !std::holds_alternative<Stranded>(state))
      REQUIRE_FALSE(can_unplug(state));
    REQUIRE_FALSE(detail(state).empty());
    visited.insert(name(state));
  }

  void close_job_of(const Event& event) {
    const auto* ended = std::get_if<JobEnded>(&event);
    const auto* examined = std::get_if<Examined>(&event);
    const auto job = ended      ? std::optional(ended->job)
                     : examined ? std::optional(examined->job)
                                : std::nullopt;
    if (!job) return;
    REQUIRE(open == job);  // a late end of another job changes nothing
    open.reset();
    writing = false;
  }

  // A copy that lacks what was seen here is launched, or changed, only when somebody says so.
  void check_copy(const Transition& step, const Event& event) const {
    const auto* found = found_of(step.state);
    if (found == nullptr || !found->lacks || session_of(step.state) != nullptr) return;
    const auto* wanted = std::get_if<LaunchAsked>(&event);
    const auto look = [&](const auto& at) {
      if constexpr (requires { at.wanted; })
        if (wanted == nullptr && at.wanted) wanted = &*at.wanted;
    };
    std::visit(look, state);
    for (const auto& effect : step.effects) {
      if (std::holds_alternative<StartLaunch>(effect))
        REQUIRE((wanted != nullptr && wanted->this_copy == ThisCopy::yes));
      if (const auto* upkeep = std::get_if<StartUpkeep>(&effect))
        REQUIRE(upkeep->by != Requester::policy);
    }
  }

  // What another host's session may need is changed only when somebody says so.
  void check_upkeep(const Transition& step, const Event& event) const {
    for (const auto& effect : step.effects) {
      const auto* start = std::get_if<StartUpkeep>(&effect);
      if (start == nullptr) continue;
      const auto* asked = std::get_if<UpkeepAsked>(&event);
      const bool insisted = asked != nullptr && asked->although == Although::go_on;
      const auto* found = found_of(step.state);
      const auto* session = session_of(step.state);
      REQUIRE(found != nullptr);
      const bool others =
          found->checked_out && (session == nullptr || found->checked_out->session != session->id);
      // With an eject the job itself looks, and goes on to let go of the device.
      const auto* tending = std::get_if<Tending>(&step.state);
      if (!insisted && !(tending != nullptr && tending->work.removal))
        REQUIRE((found->needed_by.empty() && !others));
      if (session != nullptr)
        REQUIRE((session->guest == Guest::runs || session->guest == Guest::paused ||
                 session->guest == Guest::off));
    }
  }

  // A session ends only because the device holds it, nothing of it ever lived, or the user said so.
  void check_session(const Transition& step, const Event& event) const {
    const auto* before = session_of(state);
    const auto* after = session_of(step.state);
    for (const auto& effect : step.effects) {
      const auto* drop = std::get_if<DropSession>(&effect);
      if (drop == nullptr) continue;
      if (after) REQUIRE(after->id != drop->session);
      const bool chosen = std::holds_alternative<ChoiceMade>(event);
      const auto* ended = std::get_if<JobEnded>(&event);
      const bool seen =
          std::holds_alternative<Examined>(event) || std::holds_alternative<SessionFound>(event);
      // The guest of an eject that lost sight of it was seen to be gone.
      const auto* running = std::get_if<Running>(&state);
      const bool late = running != nullptr && running->session.committing == running->found.id &&
                        running->session.since_commit == Since::nothing;
      switch (drop->cause) {
        case DropCause::discarded:
          REQUIRE(chosen);
          break;
        case DropCause::resolved:
          REQUIRE((ended != nullptr && std::holds_alternative<Done>(ended->outcome)));
          REQUIRE(
              (std::holds_alternative<Diverged>(state) || std::holds_alternative<Stranded>(state)));
          break;
        case DropCause::checked_in:
          REQUIRE((std::holds_alternative<Ejecting>(state) || seen || late));
          break;
        case DropCause::never_ran:
          if (before) REQUIRE(before->guest == Guest::unborn);
          break;
      }
    }
    if (before == nullptr || after != nullptr) return;
    const bool dropped =
        std::any_of(step.effects.begin(), step.effects.end(), [&](const Effect& effect) {
          const auto* drop = std::get_if<DropSession>(&effect);
          return drop != nullptr && drop->session == before->id;
        });
    REQUIRE(dropped);
  }
};

// What a person who wants to be rid of everything would do.
bool reaches_absent(Books books) {
  for (int i = 0; i < 20; ++i) {
    if (std::holds_alternative<Absent>(books.state)) return true;
    if (const auto device = device_of(books.state)) books.feed(DeviceGone{*device});
    // What runs on copies is put away before it can be given up.
    if (std::holds_alternative<Detached>(books.state)) books.feed(EjectAsked{});
    if (const auto job = job_of(books.state)) books.feed(JobEnded{*job, Cancelled{}});
    books.feed(ChoiceMade{Choice::discard_ours});
  }
  return false;
}

}  // namespace

TEST_CASE("a hundred thousand random events break no promise") {
  std::set<std::string_view> visited;
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    Random random(seed);
    Books books;
    books.policy.on_insert = seed % 2 == 0 ? OnInsert::ask : OnInsert::resume;
    for (int i = 0; i < 20'000; ++i) {
      books.feed(samples::any_event(random, books.state));
      if (i % 50 == 0) REQUIRE(reaches_absent(books));
    }
    visited.merge(books.visited);
  }
  CHECK(visited.size() == std::variant_size_v<State> + 2);  // each kind of upkeep has its name
}

TEST_CASE("from every sample state some sequence reaches absent") {
  for (const auto& [title, state] : samples::states()) {
    CAPTURE(title);
    Books books;
    books.state = state;
    books.open = job_of(state);
    books.last_job = samples::next_job.value;
    CHECK(reaches_absent(books));
  }
}
