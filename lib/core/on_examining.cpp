// The device is being read: what it turns out to hold decides where the capsule goes.

#include <utility>

#include "core/transitions.hpp"

namespace satchel::core {

Step on(const Examining& at, const DeviceAppeared& event, const Given&) {
  return with_work(at, appeared(at.work, event.device), {});
}

Step on(const Examining& at, const DeviceGone& event, const Given&) {
  return with_work(at, gone(at.work, event.device), {Cancel{at.work.job}});
}

namespace {

/// A way back has ended: nothing is launched that nobody asked for.
Step came_back(const Examining& at, Found found, std::optional<Reason> trouble, DeviceHealth health,
               const Given& given) {
  auto then = rest(at.work, std::move(found), trouble, health, given);
  if (const auto* ready = std::get_if<Ready>(&then.state);
      ready != nullptr && !trouble && at.wanted)
    if (auto launched = on(*ready, *at.wanted, given)) return launched;
  return then;
}

}  // namespace

Step on(const Examining& at, const Examined& event, const Given& given) {
  if (event.job != at.work.job) return std::nullopt;
  if (const auto* found = std::get_if<Found>(&event.verdict);
      found != nullptr && at.from && !at.ours)
    return came_back(at, *found, {}, DeviceHealth::works, given);
  const auto& work = at.work;
  if (!work.now) return part(at.ours, {}, {}, given);
  if (work.now != work.on) return examine(*work.now, at.ours, at.wanted, given);
  if (work.removal) {
    const auto* found = std::get_if<Found>(&event.verdict);
    // A running guest that was found again is checked in; whatever else there is stays as it is.
    if (found != nullptr && at.ours) {
      auto settled = settle(work.on, *found, at.ours, {}, {given.next, Policy{OnInsert::ask}});
      if (const auto* running = std::get_if<Running>(&settled.state)) {
        auto then = on(*running, *work.removal, given);
        if (then) return after(std::move(settled.effects), std::move(*then));
      }
    }
    if (!is_live(at.ours))
      return release(work.on, found ? std::optional(*found) : std::nullopt, at.ours, *work.removal,
                     given);
  }
  if (const auto* found = std::get_if<Found>(&event.verdict))
    return settle(work.on, *found, at.ours, at.wanted, given);
  if (std::holds_alternative<NeedsUnlock>(event.verdict))
    return Transition{Locked{work.on, at.ours}, {Tell{Notice::needs_unlock}}};
  if (const auto* trust = std::get_if<NeedsTrust>(&event.verdict))
    return Transition{Untrusted{work.on, at.ours, trust->fingerprint}, {Tell{Notice::needs_trust}}};
  return Transition{Failed{work.on, at.ours, std::get<Reason>(event.verdict)},
                    {Tell{Notice::examination_failed}}};
}

Step on(const Examining& at, const JobEnded& event, const Given& given) {
  if (event.job != at.work.job) return std::nullopt;
  if (at.from && !at.ours) {
    auto end = ending_of(event);
    return came_back(at, end.found.value_or(*at.from), end.trouble, end.health, given);
  }
  auto reason = Reason{"Reading the device was cancelled.", "Launch it to have it read again."};
  if (const auto* failed = std::get_if<JobFailed>(&event.outcome)) reason = failed->reason;
  return on(at, Examined{event.job, std::move(reason)}, given);
}

Step on(const Examining& at, const LaunchAsked& event, const Given&) {
  auto state = at;
  state.wanted = event;
  return Transition{std::move(state), {}};
}

Step on(const Examining& at, const EjectAsked& event, const Given&) {
  // With a session of ours the answer is needed: it decides whether there is something to check in.
  if (at.ours) return with_removal(at, event, {});
  return with_removal(at, event, {Cancel{at.work.job}});
}

Step on(const Examining& at, const CancelAsked&, const Given&) {
  return Transition{at, {Cancel{at.work.job}}};
}

Step on(const Examining& at, const SessionFound& event, const Given&) {
  if (at.ours) return std::nullopt;
  auto state = at;
  state.ours = event.session;
  return Transition{std::move(state), {}};
}

}  // namespace satchel::core
