// A session goes on without its device, on copies of its disks that this host keeps.

#include <utility>

#include "core/transitions.hpp"

namespace satchel::core {

Transition go_on_detached(Session session, std::optional<Insertion> idle, const LaunchAsked& asked,
                          const Given& given) {
  if (session.on_copies && is_alive(session.guest)) {
    std::vector<Effect> effects;
    if (session.guest != Guest::runs) effects.emplace_back(ResumeGuest{});
    return {Detached{std::move(session), {}, {}, idle}, std::move(effects)};
  }
  const bool boots = session.guest == Guest::off || asked.memory == Memory::ignore;
  const auto from = boots ? LaunchFrom::session : LaunchFrom::reattached;
  Detached state{std::move(session), given.next, {}, idle};
  return {std::move(state), {GoOnDetached{given.next, from}}};
}

Step on(const Detached& at, const DeviceAppeared& event, const Given& given) {
  if (at.idle == event.device) return std::nullopt;
  if (!at.starting) return examine(event.device, at.session, {}, given);
  if (at.arrived) return std::nullopt;
  auto state = at;
  state.arrived = event.device;
  return Transition{std::move(state), {}};
}

Step on(const Detached& at, const DeviceGone& event, const Given&) {
  if (at.arrived != event.device && at.idle != event.device) return std::nullopt;
  auto state = at;
  if (at.arrived == event.device) state.arrived.reset();
  if (at.idle == event.device) state.idle.reset();
  return Transition{std::move(state), {}};
}

Step on(const Detached& at, const JobEnded& event, const Given& given) {
  if (at.starting != event.job) return std::nullopt;
  auto end = ending_of(event);
  auto session = as_told(at.session, end.session);
  auto effects = told(end.trouble, Notice::launch_failed);
  const bool lives = session.on_copies && is_alive(session.guest);
  // One that could not be started and lives all the same is not let run: what its journal says of
  // it may be older.
  const bool runs = lives && std::holds_alternative<Done>(event.outcome);
  if (at.arrived && (runs || !is_alive(session.guest))) {
    auto reading = examine(*at.arrived, std::move(session), {}, given);
    std::get<Examining>(reading.state).work.removal = at.leaving;
    return after(std::move(effects), std::move(reading));
  }
  if (!lives)
    return after(std::move(effects), strand(std::move(session), at.idle, end.trouble, given));
  if (!runs || at.leaving)
    return after(std::move(effects), save_here(std::move(session), at.idle, end.trouble, given));
  effects.emplace_back(Tell{Notice::detached});
  return Transition{Detached{std::move(session), {}, {}, at.idle}, std::move(effects)};
}

Step on(const Detached& at, const LaunchAsked&, const Given&) {
  if (at.starting) return std::nullopt;
  if (at.session.guest != Guest::paused && at.session.guest != Guest::halted) return std::nullopt;
  return Transition{at, {ResumeGuest{}}};
}

Step on(const Detached& at, const EjectAsked& event, const Given& given) {
  if (!at.starting) return save_here(at.session, at.idle, {}, given);
  if (at.leaving) return Transition{at, {}};
  auto state = at;
  state.leaving = event;
  return Transition{std::move(state), {Cancel{*at.starting}}};
}

Step on(const Detached& at, const CancelAsked&, const Given&) {
  if (!at.starting) return std::nullopt;
  return Transition{at, {Cancel{*at.starting}}};
}

Step on(const Detached& at, const GuestStopped&, const Given& given) {
  if (at.starting) return std::nullopt;
  auto session = at.session;
  session.guest = Guest::off;
  return strand(std::move(session), at.idle, {}, given);
}

Step on(const Detached& at, const GuestPaused& event, const Given&) {
  if (at.starting) return std::nullopt;
  auto state = at;
  state.session.guest = event.why == GuestPause::by_somebody ? Guest::paused : Guest::halted;
  if (state == at) return std::nullopt;
  return Transition{std::move(state), {}};
}

Step on(const Detached& at, const GuestResumed&, const Given&) {
  if (at.starting) return std::nullopt;
  auto state = at;
  state.session = seen_running(at.session);
  if (state == at) return std::nullopt;
  return Transition{std::move(state), {}};
}

}  // namespace satchel::core
