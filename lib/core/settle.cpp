#include <iterator>
#include <utility>

#include "core/describe.hpp"
#include "core/transitions.hpp"

namespace satchel::core {

namespace {

enum class Fate { checked_in, continues, diverged };

// Whether what the device holds is what the session goes on from. Its own check-out mark says so
// for sure: whoever commits after it replaces the mark.
Fate fate(const Session& session, const Found& found) {
  // An older copy, or one that lost its newest generation, has an older mark of the same session.
  if (found.lacks_our_files) return Fate::diverged;
  if (found.checked_out && found.checked_out->session == session.id) return Fate::continues;
  // The guest is ended only after the commit was read back: without one the session is in there,
  // also when another host went on from it; with one it has run on since and is to be checked in
  // again, also when it is off by now.
  const bool is_eject = session.committing && found.id == *session.committing;
  if ((is_eject || found.holds_our_eject) && session.guest == Guest::off &&
      session.since_commit == Since::nothing)
    return Fate::checked_in;
  if (found.checked_out) return Fate::diverged;
  return is_eject || found.id == session.base ? Fate::continues : Fate::diverged;
}

Transition settle_session(Insertion device, Found found, Session ours,
                          std::optional<LaunchAsked> wanted, const Given& given) {
  switch (fate(ours, found)) {
    case Fate::diverged: {
      auto state = Diverged{device, std::move(found), std::move(ours)};
      return {std::move(state), {Tell{Notice::diverged}}};
    }
    case Fate::checked_in: {
      const auto id = ours.id;
      return after({DropSession{id, DropCause::checked_in}},
                   settle(device, std::move(found), std::nullopt, wanted, given));
    }
    case Fate::continues:
      break;
  }
  if (ours.on_copies && is_alive(ours.guest)) {
    auto running = Running{device, std::move(found), std::move(ours)};
    if (wanted)
      if (auto step = on(running, *wanted, given)) return *step;
    return {std::move(running), {Tell{Notice::running}}};
  }
  switch (ours.guest) {
    case Guest::saved:
      // What is saved can't be restored, or is not wanted.
      if (wanted && wanted->memory == Memory::ignore)
        return launch(device, std::move(found), std::move(ours), LaunchFrom::afresh, given);
      [[fallthrough]];
    case Guest::halted:
      return launch(device, std::move(found), std::move(ours), LaunchFrom::reattached, given);
    case Guest::unborn:
    case Guest::runs:
    case Guest::paused:
    case Guest::off:
      break;
  }
  const auto running = Running{device, std::move(found), std::move(ours)};
  if (wanted)
    if (auto step = on(running, *wanted, given)) return *step;
  std::vector<Effect> effects;
  if (running.session.guest == Guest::off) effects.emplace_back(Tell{Notice::guest_off});
  return {running, std::move(effects)};
}

}  // namespace

bool is_checked_in(const Session& session, const Found& found) {
  return fate(session, found) == Fate::checked_in;
}

bool is_unmarked(const Session& session, const Found& found) {
  return session.guest != Guest::unborn && !found.checked_out &&
         fate(session, found) == Fate::continues;
}

bool may_be_ejected(const Session& session) {
  return session.guest == Guest::off && session.committing &&
         session.since_commit == Since::nothing;
}

bool is_alive(Guest guest) {
  return guest == Guest::runs || guest == Guest::paused || guest == Guest::halted;
}

Session seen_running(Session session) {
  session.guest = Guest::runs;
  if (session.committing) session.since_commit = Since::ran_on;
  return session;
}

Session without_files(Session session) {
  if (is_alive(session.guest) && !session.on_copies) session.guest = Guest::halted;
  return session;
}

bool is_live(const std::optional<Session>& session) {
  return session && !session->on_copies &&
         (session->guest == Guest::runs || session->guest == Guest::paused);
}

bool needs_device(const Session& session) {
  return session.guest == Guest::runs && !session.on_copies;
}

Session as_told(const Session& before, const std::optional<Session>& told) {
  if (!told) return before;
  auto out = *told;
  // What has lived once is never nothing again, whatever a job that went wrong believes.
  if (out.guest == Guest::unborn) out.guest = before.guest;
  return out;
}

Transition after(std::vector<Effect> first, Transition then) {
  first.insert(first.end(), std::make_move_iterator(then.effects.begin()),
               std::make_move_iterator(then.effects.end()));
  return {std::move(then.state), std::move(first)};
}

Ending ending_of(const JobEnded& event) {
  if (const auto* failed = std::get_if<JobFailed>(&event.outcome))
    return {failed->session, failed->reason, failed->device, failed->found};
  if (const auto* cancelled = std::get_if<Cancelled>(&event.outcome))
    return {cancelled->session, {}, DeviceHealth::works, cancelled->found};
  const auto& done = std::get<Done>(event.outcome);
  return {done.session, {}, DeviceHealth::works, done.found};
}

std::vector<Effect> told(const std::optional<Reason>& trouble, Notice notice) {
  if (!trouble) return {};
  return {Tell{notice}};
}

std::optional<Work> appeared(Work work, Insertion device) {
  if (work.now) return std::nullopt;
  work.now = device;
  return work;
}

std::optional<Work> gone(Work work, Insertion device) {
  if (work.now != device) return std::nullopt;
  work.now.reset();
  return work;
}

Transition examine(Insertion device, std::optional<Session> ours, std::optional<LaunchAsked> wanted,
                   const Given& given) {
  auto state = Examining{Work{given.next, device, device}, std::move(ours), wanted};
  return {std::move(state), {StartExamine{given.next, device}}};
}

Transition settle(Insertion device, Found found, std::optional<Session> ours,
                  std::optional<LaunchAsked> wanted, const Given& given) {
  if (ours && ours->guest == Guest::unborn) {
    // A launch was cut short before the guest lived: its check-out mark guards nothing.
    if (found.checked_out && found.checked_out->session == ours->id) found.checked_out.reset();
    const auto id = ours->id;
    return after({DropSession{id, DropCause::never_ran}},
                 settle(device, std::move(found), std::nullopt, wanted, given));
  }
  if (ours) return settle_session(device, std::move(found), std::move(*ours), wanted, given);

  const auto ready = Ready{device, std::move(found)};
  if (!wanted && given.policy.on_insert == OnInsert::resume)
    wanted = LaunchAsked{Requester::policy, TakeOver::no, Memory::use};
  if (wanted)
    if (auto step = on(ready, *wanted, given)) return *step;
  return {ready, {Tell{notice_of(ready.found)}}};
}

Notice notice_of(const Found& found) {
  if (found.lacks) {
    switch (found.lacks->how) {
      case Lacking::How::older_copy:
        return Notice::older_copy;
      case Lacking::How::another_branch:
        return Notice::another_branch;
      case Lacking::How::damaged:
        return Notice::newest_damaged;
    }
  }
  return found.checked_out ? Notice::checked_out_elsewhere : Notice::ready;
}

Transition launch(Insertion device, Found found, std::optional<Session> session, LaunchFrom from,
                  const Given& given) {
  auto state =
      Launching{Work{given.next, device, device}, std::move(found), std::move(session), from};
  std::vector<Effect> effects;
  if (from == LaunchFrom::reattached)
    effects.emplace_back(Reattach{given.next});
  else
    effects.emplace_back(StartLaunch{given.next, from});
  return {std::move(state), std::move(effects)};
}

Transition check_in(Insertion device, Found found, Session session, EjectAsked asked,
                    const Given& given) {
  auto state = Ejecting{Work{given.next, device, device}, std::move(found), std::move(session)};
  return {std::move(state),
          {StartEject{given.next, asked.by, asked.merge}, Tell{Notice::ejecting}}};
}

bool is_needed_elsewhere(const Found& found, const std::optional<Session>& session) {
  const bool held = found.checked_out && (!session || found.checked_out->session != session->id);
  return held || !found.needed_by.empty();
}

Transition release(Insertion device, std::optional<Found> found, std::optional<Session> apart,
                   const EjectAsked& asked, const Given& given) {
  if (is_live(apart)) {
    auto again = examine(device, std::move(apart), {}, given);
    std::get<Examining>(again.state).work.removal = asked;
    return again;
  }
  auto state =
      Ejecting{Work{given.next, device, device, asked}, std::move(found), std::move(apart)};
  state.apart = state.session.has_value();
  return {std::move(state), {ReleaseDevice{given.next}}};
}

Transition let_go(Insertion device, Found found, const EjectAsked& asked, const Given& given) {
  if (asked.merge == MergeToo::no || found.lacks)
    return release(device, std::move(found), {}, asked, given);
  auto merging =
      tend(device, std::move(found), {}, StartUpkeep{given.next, Upkeep::merge, asked.by});
  std::get<Tending>(merging.state).work.removal = EjectAsked{asked.by};
  return merging;
}

Transition strand(Session session, std::optional<Insertion> idle, std::optional<Reason> trouble,
                  const Given& given) {
  if (session.guest == Guest::unborn) {
    const auto id = session.id;
    return after({DropSession{id, DropCause::never_ran}}, part({}, {}, idle, given));
  }
  if (!is_alive(session.guest)) {
    auto state = Stranded{std::move(session), {}, {}, idle, std::move(trouble)};
    return {std::move(state), {Tell{Notice::stranded}}};
  }
  if (session.on_copies)
    return {Detached{std::move(session), {}, {}, idle}, {Tell{Notice::detached}}};
  return save_here(std::move(session), idle, std::move(trouble), given);
}

Transition save_here(Session session, std::optional<Insertion> idle, std::optional<Reason> trouble,
                     const Given& given) {
  std::vector<Effect> effects;
  if (session.guest == Guest::runs) effects.emplace_back(PauseGuest{});
  session.guest = Guest::halted;
  effects.emplace_back(SaveStranded{given.next});
  effects.emplace_back(Tell{Notice::stranded});
  auto state = Stranded{std::move(session), given.next, {}, idle, std::move(trouble)};
  return {std::move(state), std::move(effects)};
}

Transition part(std::optional<Session> ours, std::optional<Found> found,
                std::optional<Insertion> released, const Given& given) {
  if (ours) return strand(std::move(*ours), released, {}, given);
  if (!released) return {Absent{}, {}};
  return {Safe{*released, std::move(found)}, {Tell{Notice::safe}}};
}

Transition go_on(const Work& work, Found found, Session session, std::optional<Reason> trouble,
                 DeviceHealth health, const Given& given) {
  if (session.guest == Guest::unborn) {
    const auto id = session.id;
    return after({DropSession{id, DropCause::never_ran}},
                 rest(work, std::move(found), std::move(trouble), health, given));
  }
  if (work.now == work.on && health == DeviceHealth::works) {
    if (work.removal)
      return check_in(work.on, std::move(found), std::move(session), *work.removal, given);
    return {Running{work.on, std::move(found), std::move(session), std::move(trouble)}, {}};
  }
  if (work.now && work.now != work.on) {
    // Back before the guest had to be saved: it waits, paused, for its device to be recognised.
    std::vector<Effect> effects;
    if (needs_device(session)) effects.emplace_back(PauseGuest{});
    return after(std::move(effects),
                 examine(*work.now, without_files(std::move(session)), {}, given));
  }
  return strand(std::move(session), work.now, std::move(trouble), given);
}

Transition rest(const Work& work, Found found, std::optional<Reason> trouble, DeviceHealth health,
                const Given& given) {
  if (!work.now) return {Absent{}, {}};
  if (work.now != work.on) return examine(*work.now, {}, {}, given);
  if (health == DeviceHealth::lost && trouble) return {Failed{work.on, {}, *trouble}, {}};
  if (work.removal) return let_go(work.on, std::move(found), *work.removal, given);
  return {Ready{work.on, std::move(found), std::move(trouble)}, {}};
}

}  // namespace satchel::core
