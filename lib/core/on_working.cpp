// States in which a job or a guest is at work with the device.

#include <utility>

#include "core/describe.hpp"
#include "core/transitions.hpp"

namespace satchel::core {

// launching

Step on(const Launching& at, const DeviceAppeared& event, const Given&) {
  return with_work(at, appeared(at.work, event.device), {});
}

Step on(const Launching& at, const DeviceGone& event, const Given&) {
  return with_work(at, gone(at.work, event.device), {Cancel{at.work.job}});
}

Step on(const Launching& at, const JobEnded& event, const Given& given) {
  if (event.job != at.work.job) return std::nullopt;
  auto end = ending_of(event);
  auto found = end.found.value_or(at.found);
  auto session = at.session ? as_told(*at.session, end.session) : end.session;
  const bool done = std::holds_alternative<Done>(event.outcome);

  if (!session)
    return after(told(end.trouble, Notice::launch_failed),
                 rest(at.work, std::move(found), end.trouble, end.health, given));
  // A guest that could not be given its device again waits as before; the device is left alone.
  const bool waits = at.from == LaunchFrom::reattached || at.from == LaunchFrom::afresh;
  if (!done && waits && at.work.now == at.work.on) {
    if (at.work.removal) return release(at.work.on, found, session, *at.work.removal, given);
    auto state = Stranded{*session, {}, {}, at.work.now, end.trouble};
    return Transition{std::move(state), told(end.trouble, Notice::launch_failed)};
  }
  auto then = go_on(at.work, std::move(found), std::move(*session), end.trouble, end.health, given);
  if (done && std::holds_alternative<Running>(then.state))
    then.effects.emplace_back(Tell{Notice::running});
  return after(told(end.trouble, Notice::launch_failed), std::move(then));
}

Step on(const Launching& at, const EjectAsked& event, const Given&) {
  return with_removal(at, event, {Cancel{at.work.job}});
}

Step on(const Launching& at, const CancelAsked&, const Given&) {
  return Transition{at, {Cancel{at.work.job}}};
}

// running

Step on(const Running& at, const DeviceGone& event, const Given& given) {
  if (event.device != at.device) return std::nullopt;
  return strand(at.session, {}, {}, given);
}

Step on(const Running& at, const LaunchAsked&, const Given& given) {
  switch (at.session.guest) {
    case Guest::off:
      return launch(at.device, at.found, at.session, LaunchFrom::session, given);
    case Guest::paused:
    case Guest::halted:
      return Transition{at, {ResumeGuest{}}};
    case Guest::saved:
      return launch(at.device, at.found, at.session, LaunchFrom::reattached, given);
    case Guest::unborn:
    case Guest::runs:
      break;
  }
  return std::nullopt;
}

Step on(const Running& at, const EjectAsked& event, const Given& given) {
  return check_in(at.device, at.found, at.session, event, given);
}

namespace {

Step begin_checkpoint(const Running& at, Requester by, const Given& given) {
  if (at.session.guest != Guest::runs) return std::nullopt;
  auto state = Checkpointing{Work{given.next, at.device, at.device}, at.found, at.session};
  return Transition{std::move(state), {StartCheckpoint{given.next, by}}};
}

}  // namespace

Step on(const Running& at, const CheckpointAsked&, const Given& given) {
  return begin_checkpoint(at, Requester::person, given);
}

Step on(const Running& at, const CheckpointDue&, const Given& given) {
  return begin_checkpoint(at, Requester::policy, given);
}

Step on(const Running& at, const ChoiceMade& event, const Given&) {
  if (event.choice != Choice::discard_ours || at.session.guest != Guest::off) return std::nullopt;
  auto found = at.found;
  // The mark that guarded the session guards nothing any more.
  if (found.checked_out && found.checked_out->session == at.session.id) found.checked_out.reset();
  return Transition{Ready{at.device, std::move(found)},
                    {DropSession{at.session.id, DropCause::discarded}}};
}

Step on(const Running& at, const GuestStopped& event, const Given&) {
  if (at.session.guest == Guest::off) return std::nullopt;
  auto state = at;
  state.session.guest = Guest::off;
  // An eject had lost sight of it: it has succeeded after all.
  if (is_checked_in(state.session, at.found))
    return Transition{
        Ready{at.device, at.found},
        {DropSession{at.session.id, DropCause::checked_in}, Tell{notice_of(at.found)}}};
  state.trouble.reset();
  if (event.how == GuestEnd::crashed)
    state.trouble = Reason{"The machine crashed; its disk changes are kept on this host.",
                           "Launch it to boot it again, or eject to check its disks in."};
  return Transition{std::move(state), {Tell{Notice::guest_off}}};
}

Step on(const Running& at, const GuestPaused& event, const Given&) {
  auto state = at;
  if (event.why == GuestPause::by_somebody) {
    if (at.session.guest != Guest::runs) return std::nullopt;
    state.session.guest = Guest::paused;
    return Transition{std::move(state), {}};
  }
  if (at.session.guest == Guest::halted) return std::nullopt;
  state.session.guest = Guest::halted;
  state.trouble = Reason{{}, "Make room on this computer if it is full, then launch it to go on."};
  return Transition{std::move(state), {Tell{Notice::guest_halted}}};
}

Step on(const Running& at, const GuestResumed&, const Given& given) {
  auto session = seen_running(at.session);
  // The device says that this session has ended: looking at it again puts that right.
  if (is_unmarked(session, at.found)) return examine(at.device, std::move(session), {}, given);
  if (session == at.session) return std::nullopt;
  return Transition{Running{at.device, at.found, std::move(session)}, {}};
}

// checkpointing

Step on(const Checkpointing& at, const DeviceAppeared& event, const Given&) {
  return with_work(at, appeared(at.work, event.device), {});
}

Step on(const Checkpointing& at, const DeviceGone& event, const Given&) {
  auto state = at;
  std::vector<Effect> effects;
  if (needs_device(at.session)) effects.emplace_back(PauseGuest{});
  state.session = without_files(at.session);
  effects.emplace_back(Cancel{at.work.job});
  return with_work(state, gone(at.work, event.device), std::move(effects));
}

Step on(const Checkpointing& at, const JobEnded& event, const Given& given) {
  if (event.job != at.work.job) return std::nullopt;
  auto end = ending_of(event);
  auto found = end.found.value_or(at.found);
  auto session = as_told(at.session, end.session);
  session.guest = at.session.guest;  // a checkpoint never ends or pauses the guest
  return after(
      told(end.trouble, Notice::checkpoint_failed),
      go_on(at.work, std::move(found), std::move(session), end.trouble, end.health, given));
}

Step on(const Checkpointing& at, const EjectAsked& event, const Given&) {
  return with_removal(at, event, {});
}

Step on(const Checkpointing& at, const CancelAsked&, const Given&) {
  return Transition{at, {Cancel{at.work.job}}};
}

// ejecting

Step on(const Ejecting& at, const DeviceAppeared& event, const Given&) {
  return with_work(at, appeared(at.work, event.device), {});
}

Step on(const Ejecting& at, const DeviceGone& event, const Given&) {
  return with_work(at, gone(at.work, event.device), {Cancel{at.work.job}});
}

Step on(const Ejecting& at, const JobEnded& event, const Given& given) {
  if (event.job != at.work.job) return std::nullopt;
  const auto& work = at.work;
  auto end = ending_of(event);
  const bool checks_in = at.session && !at.apart;

  if (const auto* done = std::get_if<Done>(&event.outcome)) {
    auto found = done->found ? done->found : at.found;
    std::vector<Effect> effects;
    if (checks_in) effects.emplace_back(DropSession{at.session->id, DropCause::checked_in});
    const auto kept = checks_in ? std::nullopt : at.session;
    if (!work.now) return after(std::move(effects), part(kept, {}, {}, given));
    if (work.now != work.on) return after(std::move(effects), examine(*work.now, kept, {}, given));
    if (done->device == DeviceUse::kept && found && !kept)
      return after(std::move(effects),
                   Transition{Ready{work.on, std::move(*found)}, {Tell{Notice::ready}}});
    if (done->device == DeviceUse::kept && !kept) {
      auto reason = Reason{"Another machine on the device is in use.", "Eject that one as well."};
      return after(std::move(effects), Transition{Failed{work.on, {}, std::move(reason)}, {}});
    }
    return after(std::move(effects), part(kept, std::move(found), work.on, given));
  }

  auto effects = told(end.trouble, Notice::eject_failed);
  auto without_removal = work;
  without_removal.removal.reset();
  if (checks_in) {
    auto found = end.found.value_or(*at.found);
    auto session = as_told(*at.session, end.session);
    if (is_checked_in(session, found)) {
      // What failed came after its commit.
      effects.emplace_back(DropSession{session.id, DropCause::checked_in});
      return after(std::move(effects),
                   rest(without_removal, std::move(found), end.trouble, end.health, given));
    }
    return after(std::move(effects), go_on(without_removal, std::move(found), std::move(session),
                                           end.trouble, end.health, given));
  }
  if (!work.now) return after(std::move(effects), part(at.session, {}, {}, given));
  if (work.now != work.on)
    return after(std::move(effects), examine(*work.now, at.session, {}, given));
  if (at.session)
    return after(std::move(effects), strand(*at.session, work.on, end.trouble, given));
  if (at.found)
    return after(std::move(effects), rest(without_removal, end.found.value_or(*at.found),
                                          end.trouble, end.health, given));
  auto reason = end.trouble.value_or(
      Reason{"Releasing the device was cancelled.", "Eject it again, or launch it."});
  return after(std::move(effects), Transition{Failed{work.on, {}, std::move(reason)}, {}});
}

Step on(const Ejecting& at, const EjectAsked&, const Given&) { return Transition{at, {}}; }

Step on(const Ejecting& at, const CancelAsked&, const Given&) {
  return Transition{at, {Cancel{at.work.job}}};
}

}  // namespace satchel::core
