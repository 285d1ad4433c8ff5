// Inside lib/core only: what the transitions have in common, defined in settle.cpp. Where a capsule
// comes to rest once something is known or over, and the work that goes on meanwhile.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "core/react.hpp"

namespace satchel::core {

using Step = std::optional<Transition>;

/// What a transition may use besides state and event.
struct Given {
  JobId next;
  Policy policy;
};

/// Begin to read the device.
Transition examine(Insertion device, std::optional<Session> ours, std::optional<LaunchAsked> wanted,
                   const Given& given);
/// The device was read: ready, running, launching or diverged.
Transition settle(Insertion device, Found found, std::optional<Session> ours,
                  std::optional<LaunchAsked> wanted, const Given& given);
/// The guest is gone, and what was found holds all that it did.
bool is_checked_in(const Session& session, const Found& found);
/// What is to be told of a capsule at rest with this generation.
Notice notice_of(const Found& found);
/// Begin to bring a generation to life.
Transition launch(Insertion device, Found found, std::optional<Session> session, LaunchFrom from,
                  const Given& given);
/// Begin to check a session in and to release its device.
Transition check_in(Insertion device, Found found, Session session, EjectAsked asked,
                    const Given& given);
/// Begin to merge, fold or compact.
Transition tend(Insertion device, Found found, std::optional<Session> session, StartUpkeep start);
/// Whether another host may need the content that the merge would change.
bool is_needed_elsewhere(const Found& found, const std::optional<Session>& session);
/// Begin to release a device on which nothing of ours is open; with a live guest, to read it again
/// so that the guest can be checked in.
Transition release(Insertion device, std::optional<Found> found, std::optional<Session> apart,
                   const EjectAsked& asked, const Given& given);
/// The same of a device at rest; its layers are merged before, where that is asked for too.
Transition let_go(Insertion device, Found found, const EjectAsked& asked, const Given& given);
/// Begin to go on without the device.
Transition go_on_detached(Session session, std::optional<Insertion> idle, const LaunchAsked& asked,
                          const Given& given);
/// The session has lost its device. `idle`: it is in a port all the same. A guest on copies does
/// not mind.
Transition strand(Session session, std::optional<Insertion> idle, std::optional<Reason> trouble,
                  const Given& given);
/// Begin to save a guest that lives on this host; it is paused first.
Transition save_here(Session session, std::optional<Insertion> idle, std::optional<Reason> trouble,
                     const Given& given);
/// A device at rest was pulled or released: absent, safe or, with a session, stranded.
Transition part(std::optional<Session> ours, std::optional<Found> found,
                std::optional<Insertion> released, const Given& given);
/// A job has ended and a session goes on: with its device, with a new insertion of it, or without.
Transition go_on(const Work& work, Found found, Session session, std::optional<Reason> trouble,
                 DeviceHealth health, const Given& given);
/// A job has ended and there is no session.
Transition rest(const Work& work, Found found, std::optional<Reason> trouble, DeviceHealth health,
                const Given& given);

/// The session, of which it was seen that its guest runs: what an eject of it had saved before is
/// not the whole of it any more.
Session seen_running(Session session);
/// The session, whose guest has none of its device's files any more: those that it has open belong
/// to an insertion that is over.
Session without_files(Session session);
/// The guest is in memory.
bool is_alive(Guest guest);
/// There is a session whose guest uses the device at this moment.
bool is_live(const std::optional<Session>& session);
/// The guest runs, and has to be paused when its device goes.
bool needs_device(const Session& session);
/// The session as it is after a job that may have told of it.
Session as_told(const Session& before, const std::optional<Session>& told);
/// Puts effects before those of the transition.
Transition after(std::vector<Effect> first, Transition then);
/// The outcome of a job that leaves a session as it was, in one shape.
struct Ending {
  std::optional<Session> session;
  std::optional<Reason> trouble;
  DeviceHealth health = DeviceHealth::works;
  std::optional<Found> found{};
};
Ending ending_of(const JobEnded& event);
/// Nothing when there is no trouble.
std::vector<Effect> told(const std::optional<Reason>& trouble, Notice notice);
/// As the work is after a report about its device.
std::optional<Work> appeared(Work work, Insertion device);
std::optional<Work> gone(Work work, Insertion device);

template <class S>
Step with_work(const S& at, std::optional<Work> work, std::vector<Effect> effects) {
  if (!work) return std::nullopt;
  auto state = at;
  state.work = *work;
  return Transition{std::move(state), std::move(effects)};
}

template <class S>
Step with_removal(const S& at, EjectAsked asked, std::vector<Effect> effects) {
  auto work = at.work;
  // A file manager asks again every other second; a request already known is agreed to.
  if (work.removal && asked.merge == MergeToo::no) return Transition{at, {}};
  if (work.removal) effects.clear();
  work.removal = asked;
  return with_work(at, work, std::move(effects));
}

}  // namespace satchel::core
