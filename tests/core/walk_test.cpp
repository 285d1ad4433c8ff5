// Random event sequences, plausible and implausible, against what must hold in every state.
#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>
#include <random>
#include <set>

#include "core/describe.hpp"
#include "core/samples.hpp"

namespace {

using namespace satchel;
using namespace satchel::core;

using Random = std::mt19937_64;

std::size_t draw(Random& random, std::size_t below) {
  return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
}
template <class T>
T one_of(Random& random, std::initializer_list<T> values) {
  return *(values.begin() + draw(random, values.size()));
}

// What a device may be found to hold by one that knows nothing of the session's history.
Found any_found(Random& random) {
  auto out = samples::found(static_cast<std::uint8_t>(1 + draw(random, 4)));
  out.has_memory = draw(random, 2) == 0;
  if (draw(random, 4) == 0) out.checked_out = samples::found_checked_out().checked_out;
  if (draw(random, 4) == 0) out.checked_out = samples::found_checked_out_by_us().checked_out;
  if (draw(random, 8) == 0) out.needed_by = "bellows";
  if (draw(random, 4) == 0)
    out.lacks = samples::found_lacking(
                    one_of(random, {Lacking::How::older_copy, Lacking::How::another_branch}))
                    .lacks;
  return out;
}

Guest any_guest(Random& random) {
  return one_of(
      random, {Guest::unborn, Guest::runs, Guest::paused, Guest::halted, Guest::saved, Guest::off});
}

Session any_session(Random& random) {
  auto out = samples::session(any_guest(random), static_cast<std::uint8_t>(1 + draw(random, 4)));
  if (draw(random, 3) == 0) out.committing = GenerationId(samples::uuid(3));
  return out;
}

Insertion any_device(Random& random, const State& state) {
  const auto there = device_of(state);
  if (there && draw(random, 3) != 0) return *there;
  return Insertion(1 + draw(random, 5));
}

JobId any_job(Random& random, const State& state) {
  const auto job = job_of(state);
  return job && draw(random, 5) != 0 ? *job : JobId(1 + draw(random, 20));
}

Event any_end(Random& random, const State& state) {
  const auto job = any_job(random, state);
  // A job reports on the session that the state knows, if any; a launch may make a new one.
  std::optional<Session> session;
  if (const auto* ours = session_of(state); ours && draw(random, 2) == 0) {
    session = *ours;
    session->guest = any_guest(random);
  } else if (!ours && std::holds_alternative<Launching>(state) && draw(random, 3) != 0) {
    session = any_session(random);
  }
  const bool ejects = std::holds_alternative<Ejecting>(state);
  switch (draw(random, 3)) {
    case 0: {
      auto done = Done{any_found(random), ejects ? std::nullopt : session,
                       one_of(random, {DeviceUse::kept, DeviceUse::released})};
      if (std::holds_alternative<Launching>(state) && !done.session && !session_of(state))
        done.session = any_session(random);
      return JobEnded{job, std::move(done)};
    }
    case 1:
      return JobEnded{job, JobFailed{samples::reason(), session,
                                     one_of(random, {DeviceHealth::works, DeviceHealth::lost})}};
    default:
      return JobEnded{job, Cancelled{session}};
  }
}

Event any_event(Random& random, const State& state) {
  switch (draw(random, 26)) {
    case 0:
    case 1:
      return DeviceAppeared{Insertion(1 + draw(random, 5))};
    case 2:
    case 3:
      return DeviceGone{any_device(random, state)};
    case 4:
      return DeviceReleased{any_device(random, state)};
    case 5:
    case 6:
      return Examined{any_job(random, state), any_found(random)};
    case 7:
      switch (draw(random, 3)) {
        case 0:
          return Examined{any_job(random, state), NeedsUnlock{}};
        case 1:
          return Examined{any_job(random, state), NeedsTrust{"12:34"}};
        default:
          return Examined{any_job(random, state), samples::reason()};
      }
    case 8:
    case 9:
    case 10:
    case 11:
      return any_end(random, state);
    case 12:
    case 13:
      return draw(random, 2) == 0 ? Event(UnlockGiven{}) : Event(TrustGiven{});
    case 14:
      return LaunchAsked{Requester::person, one_of(random, {TakeOver::no, TakeOver::yes}),
                         one_of(random, {Memory::use, Memory::ignore}),
                         one_of(random, {ThisCopy::no, ThisCopy::yes})};
    case 15:
      return EjectAsked{
          one_of(random, {Requester::person, Requester::desktop, Requester::host_shutdown}),
          one_of(random, {MergeToo::no, MergeToo::yes})};
    case 16:
      return draw(random, 2) == 0 ? Event(CheckpointAsked{}) : Event(CancelAsked{});
    case 17:
      return RollbackAsked{Sequence(draw(random, 4))};
    case 18:
      return ChoiceMade{one_of(random, {Choice::continue_device, Choice::keep_both,
                                        Choice::export_ours, Choice::discard_ours})};
    case 19:
      return GuestStopped{
          one_of(random, {GuestEnd::by_itself, GuestEnd::crashed, GuestEnd::by_host})};
    case 20:
      return GuestPaused{one_of(random, {GuestPause::by_somebody, GuestPause::by_error})};
    case 21:
      return GuestResumed{};
    case 22:
      switch (draw(random, 3)) {
        case 0:
          return draw(random, 2) == 0 ? Event(CheckpointDue{}) : Event(SaveDue{});
        case 1:
          return CapsuleRemoved{};
        default:
          return SessionFound{any_session(random), draw(random, 2) == 0
                                                       ? std::optional(any_device(random, state))
                                                       : std::nullopt};
      }
    case 23:
      return UpkeepAsked{one_of(random, {Upkeep::merge, Upkeep::fold}),
                         one_of(random, {Although::refuse, Although::go_on})};
    case 24:
      return UpkeepDue{one_of(random, {Upkeep::merge, Upkeep::fold})};
    default:
      return Packed{any_device(random, state), any_found(random),
                    draw(random, 2) == 0 ? std::optional(any_session(random)) : std::nullopt};
  }
}

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
    if (writing && open) REQUIRE_FALSE(can_unplug(state));
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
      if (!insisted && !std::holds_alternative<EjectAsked>(event))
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
          REQUIRE(std::holds_alternative<Diverged>(state));
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
      books.feed(any_event(random, books.state));
      if (i % 50 == 0) REQUIRE(reaches_absent(books));
    }
    visited.merge(books.visited);
  }
  CHECK(visited.size() == std::variant_size_v<State>);
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
