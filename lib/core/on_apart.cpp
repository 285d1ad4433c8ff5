// A session and its device are not together: the device is gone, or went on elsewhere.

#include <utility>

#include "core/describe.hpp"
#include "core/transitions.hpp"

namespace satchel::core {

// stranded

Step on(const Stranded& at, const DeviceAppeared& event, const Given& given) {
  if (at.idle == event.device) return std::nullopt;
  if (!job_of(at)) return examine(event.device, at.session, {}, given);
  if (at.arrived) return std::nullopt;
  auto state = at;
  state.arrived = event.device;
  return Transition{std::move(state), {}};
}

Step on(const Stranded& at, const DeviceGone& event, const Given&) {
  if (at.arrived != event.device && at.idle != event.device) return std::nullopt;
  auto state = at;
  if (at.arrived == event.device) state.arrived.reset();
  if (at.idle == event.device) state.idle.reset();
  return Transition{std::move(state), {}};
}

Step on(const Stranded& at, const DeviceReleased& event, const Given&) {
  if (at.arrived != event.device) return std::nullopt;
  auto state = at;
  state.idle = std::exchange(state.arrived, std::nullopt);
  return Transition{std::move(state), {}};
}

namespace {

Step export_ended(const Stranded& at, const JobEnded& event, const Given& given) {
  if (std::holds_alternative<Done>(event.outcome)) {
    std::vector<Effect> effects = {DropSession{at.session.id, DropCause::resolved}};
    if (at.arrived) return after(std::move(effects), examine(*at.arrived, {}, {}, given));
    return after(std::move(effects), part({}, {}, at.idle, given));
  }
  auto end = ending_of(event);
  auto state = at;
  state.exporting.reset();
  state.session = without_files(as_told(at.session, end.session));
  if (state.arrived) return examine(*state.arrived, state.session, {}, given);
  return Transition{std::move(state), {}};
}

}  // namespace

Step on(const Stranded& at, const JobEnded& event, const Given& given) {
  if (at.exporting == event.job) return export_ended(at, event, given);
  if (at.saving != event.job) return std::nullopt;
  auto state = at;
  state.saving.reset();
  std::vector<Effect> effects;
  if (const auto* done = std::get_if<Done>(&event.outcome)) {
    // It may have ended before its save began.
    if (done->session)
      state.session = without_files(as_told(at.session, done->session));
    else
      state.session.guest = Guest::saved;
  } else if (const auto* failed = std::get_if<JobFailed>(&event.outcome)) {
    state.session = without_files(as_told(at.session, failed->session));
    state.trouble = failed->reason;
    effects.emplace_back(Tell{Notice::save_failed});
  }
  if (state.arrived)
    return after(std::move(effects), examine(*state.arrived, state.session, {}, given));
  return Transition{std::move(state), std::move(effects)};
}

Step on(const Stranded& at, const LaunchAsked& event, const Given& given) {
  if (job_of(at)) return std::nullopt;
  if (event.without_device == WithoutDevice::yes) {
    if (may_be_ejected(at.session) && event.memory == Memory::use) return std::nullopt;
    return go_on_detached(at.session, at.idle, event, given);
  }
  if (!at.idle) return std::nullopt;
  return examine(*at.idle, at.session, event, given);
}

Step on(const Stranded& at, const EjectAsked& event, const Given& given) {
  // It is being done; whoever asked is told when it is.
  if (at.saving && (!at.idle || event.by == Requester::host_shutdown)) return Transition{at, {}};
  // That has saved the guest first, and has left nothing behind when it ends early.
  if (at.exporting && (event.by == Requester::host_shutdown || (!at.idle && !at.arrived)))
    return Transition{at, {Cancel{*at.exporting}}};
  // Whatever is only in memory would be lost with the computer's power.
  const bool can_be_saved = is_alive(at.session.guest) && !job_of(at);
  if (can_be_saved && (event.by == Requester::host_shutdown || !at.idle))
    return save_here(at.session, at.idle, {}, given);
  if (at.idle && !job_of(at) && event.by != Requester::host_shutdown)
    return release(*at.idle, {}, at.session, event, given);
  return std::nullopt;
}

Step on(const Stranded& at, const ChoiceMade& event, const Given& given) {
  if (job_of(at)) return std::nullopt;
  if (event.choice == Choice::export_ours) {
    auto state = at;
    state.exporting = given.next;
    return Transition{std::move(state), {Resolve{given.next, event.choice}}};
  }
  if (event.choice != Choice::discard_ours) return std::nullopt;
  std::vector<Effect> effects = {DropSession{at.session.id, DropCause::discarded}};
  if (at.idle) return after(std::move(effects), examine(*at.idle, {}, {}, given));
  return Transition{Absent{}, std::move(effects)};
}

Step on(const Stranded& at, const CancelAsked&, const Given&) {
  if (!at.exporting) return std::nullopt;
  return Transition{at, {Cancel{*at.exporting}}};
}

Step on(const Stranded& at, const SaveDue& event, const Given& given) {
  const bool lives = is_alive(at.session.guest) || event.guest == SaveDue::Guest::found_alive;
  if (job_of(at) || !lives) return std::nullopt;
  auto state = at;
  state.saving = given.next;
  return Transition{std::move(state), {SaveStranded{given.next}}};
}

// diverged

Step on(const Diverged& at, const DeviceAppeared& event, const Given&) {
  if (!at.resolving) return std::nullopt;
  const auto work = appeared(*at.resolving, event.device);
  if (!work) return std::nullopt;
  auto state = at;
  state.resolving = work;
  return Transition{std::move(state), {}};
}

Step on(const Diverged& at, const DeviceGone& event, const Given& given) {
  if (!at.resolving) {
    if (event.device != at.device) return std::nullopt;
    return strand(at.ours, {}, {}, given);
  }
  const auto work = gone(*at.resolving, event.device);
  if (!work) return std::nullopt;
  auto state = at;
  state.resolving = work;
  return Transition{std::move(state), {Cancel{work->job}}};
}

Step on(const Diverged& at, const DeviceReleased& event, const Given& given) {
  if (at.resolving || event.device != at.device) return std::nullopt;
  return strand(at.ours, at.device, {}, given);
}

Step on(const Diverged& at, const ChoiceMade& event, const Given& given) {
  if (at.resolving) return std::nullopt;
  const auto id = at.ours.id;
  switch (event.choice) {
    case Choice::continue_device: {
      const auto ready = Ready{at.device, at.theirs};
      const auto ask = LaunchAsked{Requester::person, TakeOver::no, Memory::use};
      // Nothing is given up for what would not run: whoever means that says discard_ours.
      auto step = on(ready, ask, given);
      if (!step) return std::nullopt;
      return after({DropSession{id, DropCause::discarded}}, std::move(*step));
    }
    case Choice::discard_ours:
      return Transition{Ready{at.device, at.theirs}, {DropSession{id, DropCause::discarded}}};
    case Choice::keep_both:
    case Choice::export_ours:
      break;
  }
  auto state = at;
  state.resolving = Work{given.next, at.device, at.device};
  state.choice = event.choice;
  state.trouble.reset();
  return Transition{std::move(state), {Resolve{given.next, event.choice}}};
}

Step on(const Diverged& at, const JobEnded& event, const Given& given) {
  if (!at.resolving || at.resolving->job != event.job) return std::nullopt;
  const auto& work = *at.resolving;
  if (std::holds_alternative<Done>(event.outcome)) {
    // `theirs` stays the device's newest generation: what was kept is a capsule of its own.
    return after({DropSession{at.ours.id, DropCause::resolved}},
                 rest(work, at.theirs, {}, DeviceHealth::works, given));
  }
  auto ours = at.ours;
  std::optional<Reason> trouble;
  if (const auto* failed = std::get_if<JobFailed>(&event.outcome)) {
    trouble = failed->reason;
    ours = as_told(at.ours, failed->session);
  } else {
    ours = as_told(at.ours, std::get<Cancelled>(event.outcome).session);
  }
  if (!work.now) return strand(std::move(ours), {}, std::move(trouble), given);
  if (work.now != work.on) return examine(*work.now, std::move(ours), {}, given);
  if (work.removal) return release(work.on, at.theirs, std::move(ours), *work.removal, given);
  return Transition{Diverged{at.device, at.theirs, std::move(ours), {}, at.choice, trouble}, {}};
}

Step on(const Diverged& at, const EjectAsked& event, const Given& given) {
  if (!at.resolving) return release(at.device, at.theirs, at.ours, event, given);
  if (at.resolving->removal) return Transition{at, {}};
  auto state = at;
  state.resolving->removal = event;
  return Transition{std::move(state), {}};
}

Step on(const Diverged& at, const CancelAsked&, const Given&) {
  if (!at.resolving) return std::nullopt;
  return Transition{at, {Cancel{at.resolving->job}}};
}

}  // namespace satchel::core
