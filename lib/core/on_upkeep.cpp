// The disk files are merged or folded, or the stored memory compacted, in the background. Nobody
// waits for that: an eject or a launch asked for meanwhile ends it and comes next.

#include <utility>

#include "core/transitions.hpp"

namespace satchel::core {

namespace {

StartUpkeep start(Upkeep what, Requester by, Although although, const Given& given) {
  return StartUpkeep{given.next, what, by, although};
}

Step begin(const Ready& at, StartUpkeep how) {
  if (how.although == Although::refuse && is_needed_elsewhere(at.found, {})) return std::nullopt;
  return tend(at.device, at.found, {}, how);
}

Step begin(const Running& at, StartUpkeep how) {
  if (how.although == Although::refuse && is_needed_elsewhere(at.found, at.session))
    return std::nullopt;
  switch (at.session.guest) {
    case Guest::runs:
    case Guest::paused:
    case Guest::off:
      return tend(at.device, at.found, at.session, how);
    case Guest::unborn:
    case Guest::halted:
    case Guest::saved:
      break;
  }
  return std::nullopt;
}

}  // namespace

// how it begins

Transition tend(Insertion device, Found found, std::optional<Session> session, StartUpkeep start) {
  const auto work = Work{start.job, device, device};
  return {Tending{start.what, work, std::move(found), std::move(session)}, {start}};
}

Step on(const Ready& at, const UpkeepAsked& event, const Given& given) {
  // A copy that somebody keeps as it is, maybe, or a damaged generation that a commit would
  // replace.
  if (at.found.lacks && event.although == Although::refuse) return std::nullopt;
  return begin(at, start(event.what, Requester::person, event.although, given));
}

Step on(const Ready& at, const UpkeepDue& event, const Given& given) {
  if (at.trouble) return std::nullopt;      // it is to be read first
  if (at.found.lacks) return std::nullopt;  // a copy that somebody keeps as it is, maybe
  return begin(at, start(event.what, Requester::policy, Although::refuse, given));
}

Step on(const Running& at, const UpkeepAsked& event, const Given& given) {
  return begin(at, start(event.what, Requester::person, event.although, given));
}

Step on(const Running& at, const UpkeepDue& event, const Given& given) {
  if (at.trouble) return std::nullopt;
  return begin(at, start(event.what, Requester::policy, Although::refuse, given));
}

// while it is under way

Step on(const Tending& at, const DeviceAppeared& event, const Given&) {
  return with_work(at, appeared(at.work, event.device), {});
}

Step on(const Tending& at, const DeviceGone& event, const Given&) {
  auto state = at;
  std::vector<Effect> effects;
  if (state.session) {
    if (needs_device(*state.session)) effects.emplace_back(PauseGuest{});
    state.session = without_files(*state.session);
  }
  effects.emplace_back(Cancel{at.work.job});
  return with_work(state, gone(at.work, event.device), std::move(effects));
}

Step on(const Tending& at, const JobEnded& event, const Given& given) {
  if (event.job != at.work.job) return std::nullopt;
  auto end = ending_of(event);
  auto found = end.found.value_or(at.found);
  Transition then = [&] {
    if (!at.session) return rest(at.work, std::move(found), end.trouble, end.health, given);
    auto session = as_told(*at.session, end.session);
    session.guest = at.session->guest;  // it never ends or pauses the guest
    return go_on(at.work, std::move(found), std::move(session), end.trouble, end.health, given);
  }();
  if (at.wanted) {
    Step launched;
    if (const auto* ready = std::get_if<Ready>(&then.state))
      launched = on(*ready, *at.wanted, given);
    if (const auto* running = std::get_if<Running>(&then.state))
      launched = on(*running, *at.wanted, given);
    if (launched) then = after(std::move(then.effects), std::move(*launched));
  }
  return after(told(end.trouble, Notice::upkeep_failed), std::move(then));
}

Step on(const Tending& at, const LaunchAsked& event, const Given& given) {
  auto state = at;
  if (at.session) {
    const auto running = Running{at.work.on, at.found, *at.session};
    auto step = on(running, event, given);
    if (!step) return std::nullopt;
    // Resumed at once: what runs and what is merged don't disturb each other.
    if (std::holds_alternative<Running>(step->state)) return Transition{at, step->effects};
  } else if (!on(Ready{at.work.on, at.found}, event, given)) {
    return std::nullopt;
  }
  state.wanted = event;
  return Transition{std::move(state), {Cancel{at.work.job}}};
}

Step on(const Tending& at, const EjectAsked& event, const Given&) {
  // What is asked for besides the eject is under way already.
  if (at.what == Upkeep::merge && event.merge == MergeToo::yes)
    return with_removal(at, EjectAsked{event.by}, {});
  return with_removal(at, event, {Cancel{at.work.job}});
}

Step on(const Tending& at, const CancelAsked&, const Given&) {
  return Transition{at, {Cancel{at.work.job}}};
}

Step on(const Tending& at, const GuestStopped&, const Given&) {
  if (!at.session || !is_alive(at.session->guest)) return std::nullopt;
  auto state = at;
  state.session->guest = Guest::off;
  return Transition{std::move(state), {Tell{Notice::guest_off}}};
}

}  // namespace satchel::core
