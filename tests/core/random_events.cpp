#include "core/random_events.hpp"

#include <initializer_list>
#include <optional>

#include "core/describe.hpp"
#include "core/samples.hpp"

namespace satchel::core::samples {

namespace {

std::size_t draw(Random& random, std::size_t below) {
  return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
}
template <class T>
T one_of(Random& random, std::initializer_list<T> values) {
  return *(values.begin() + draw(random, values.size()));
}

// What a device may be found to hold by one that knows nothing of the session's history.
Found any_found(Random& random) {
  auto out = found(static_cast<std::uint8_t>(1 + draw(random, 4)));
  out.has_memory = draw(random, 2) == 0;
  if (draw(random, 4) == 0) out.checked_out = found_checked_out().checked_out;
  if (draw(random, 4) == 0) out.checked_out = found_checked_out_by_us().checked_out;
  if (draw(random, 8) == 0) out.needed_by = "bellows";
  if (draw(random, 4) == 0)
    out.lacks =
        found_lacking(one_of(random, {Lacking::How::older_copy, Lacking::How::another_branch}))
            .lacks;
  return out;
}

Guest any_guest(Random& random) {
  return one_of(
      random, {Guest::unborn, Guest::runs, Guest::paused, Guest::halted, Guest::saved, Guest::off});
}

Session any_session(Random& random) {
  auto out = session(any_guest(random), static_cast<std::uint8_t>(1 + draw(random, 4)));
  if (draw(random, 3) == 0) out.committing = GenerationId(uuid(3));
  out.on_copies = draw(random, 4) == 0;
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
      return JobEnded{job, JobFailed{reason(), session,
                                     one_of(random, {DeviceHealth::works, DeviceHealth::lost})}};
    default:
      return JobEnded{job, Cancelled{session}};
  }
}

}  // namespace

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
          return Examined{any_job(random, state), reason()};
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
                         one_of(random, {ThisCopy::no, ThisCopy::yes}),
                         one_of(random, {WithoutDevice::no, WithoutDevice::yes})};
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
      return UpkeepAsked{one_of(random, {Upkeep::merge, Upkeep::fold, Upkeep::compact}),
                         one_of(random, {Although::refuse, Although::go_on})};
    case 24:
      return UpkeepDue{one_of(random, {Upkeep::merge, Upkeep::fold, Upkeep::compact})};
    default:
      return Packed{any_device(random, state), any_found(random),
                    draw(random, 2) == 0 ? std::optional(any_session(random)) : std::nullopt};
  }
}

}  // namespace satchel::core::samples
