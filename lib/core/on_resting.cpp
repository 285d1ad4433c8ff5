// States in which nothing is under way.

#include <utility>

#include "core/describe.hpp"
#include "core/transitions.hpp"

namespace satchel::core {

// absent

Step on(const Absent&, const DeviceAppeared& event, const Given& given) {
  return examine(event.device, {}, {}, given);
}

Step on(const Absent&, const SessionFound& event, const Given& given) {
  if (event.device) return examine(*event.device, event.session, {}, given);
  return strand(event.session, {}, {}, given);
}

Step on(const Absent&, const Packed& event, const Given&) {
  if (event.session)
    return Transition{Running{event.device, event.found, *event.session}, {Tell{Notice::running}}};
  return Transition{Ready{event.device, event.found}, {Tell{Notice::ready}}};
}

namespace {

/// Found where the device is of no use yet: it waits for that with the session.
template <class S>
Step with_session(const S& at, const SessionFound& event) {
  if (at.ours) return std::nullopt;
  auto state = at;
  state.ours = event.session;
  return Transition{std::move(state), {}};
}

}  // namespace

// locked

Step on(const Locked& at, const DeviceGone& event, const Given& given) {
  if (event.device != at.device) return std::nullopt;
  return part(at.ours, {}, {}, given);
}

Step on(const Locked& at, const DeviceReleased& event, const Given& given) {
  if (event.device != at.device) return std::nullopt;
  return part(at.ours, {}, at.device, given);
}

Step on(const Locked& at, const UnlockGiven&, const Given& given) {
  return examine(at.device, at.ours, {}, given);
}

Step on(const Locked& at, const EjectAsked& event, const Given& given) {
  return release(at.device, {}, at.ours, event, given);
}

Step on(const Locked& at, const SessionFound& event, const Given&) {
  return with_session(at, event);
}

// untrusted

Step on(const Untrusted& at, const DeviceGone& event, const Given& given) {
  if (event.device != at.device) return std::nullopt;
  return part(at.ours, {}, {}, given);
}

Step on(const Untrusted& at, const DeviceReleased& event, const Given& given) {
  if (event.device != at.device) return std::nullopt;
  return part(at.ours, {}, at.device, given);
}

Step on(const Untrusted& at, const TrustGiven&, const Given& given) {
  return examine(at.device, at.ours, {}, given);
}

Step on(const Untrusted& at, const EjectAsked& event, const Given& given) {
  return release(at.device, {}, at.ours, event, given);
}

Step on(const Untrusted& at, const SessionFound& event, const Given&) {
  return with_session(at, event);
}

// ready

Step on(const Ready& at, const DeviceGone& event, const Given& given) {
  if (event.device != at.device) return std::nullopt;
  return part({}, at.found, {}, given);
}

Step on(const Ready& at, const DeviceReleased& event, const Given& given) {
  if (event.device != at.device) return std::nullopt;
  return part({}, at.found, at.device, given);
}

Step on(const Ready& at, const LaunchAsked& event, const Given& given) {
  if (at.found.checked_out && event.take_over == TakeOver::no) return std::nullopt;
  if (at.found.lacks && event.this_copy == ThisCopy::no) return std::nullopt;
  const bool use_memory = at.found.has_memory && event.memory == Memory::use;
  return launch(at.device, at.found, {}, use_memory ? LaunchFrom::memory : LaunchFrom::disk, given);
}

Step on(const Ready& at, const EjectAsked& event, const Given& given) {
  return let_go(at.device, at.found, event, given);
}

Step on(const Ready& at, const RollbackAsked& event, const Given& given) {
  // What was done there is still to come, or a copy that somebody keeps as it is, maybe.
  if (at.found.checked_out || at.found.lacks) return std::nullopt;
  // A session elsewhere stands over files that the way back would leave to be removed.
  if (!at.found.needed_by.empty() && event.although == Although::refuse) return std::nullopt;
  auto state = Examining{Work{given.next, at.device, at.device}, {}, {}, at.found};
  return Transition{std::move(state), {StartRollback{given.next, event.to}}};
}

Step on(const Ready& at, const SessionFound& event, const Given& given) {
  return settle(at.device, at.found, event.session, {}, given);
}

Step on(const Ready&, const CapsuleRemoved&, const Given&) { return Transition{Absent{}, {}}; }

// safe

Step on(const Safe& at, const DeviceAppeared& event, const Given& given) {
  // Unmounting makes udev report the device once more: only a new insertion counts.
  if (event.device == at.device) return std::nullopt;
  return examine(event.device, {}, {}, given);
}

Step on(const Safe& at, const DeviceGone& event, const Given&) {
  if (event.device != at.device) return std::nullopt;
  return Transition{Absent{}, {}};
}

Step on(const Safe& at, const SessionFound& event, const Given& given) {
  return part(event.session, at.found, at.device, given);
}

// failed

Step on(const Failed& at, const DeviceGone& event, const Given& given) {
  if (event.device != at.device) return std::nullopt;
  return part(at.ours, {}, {}, given);
}

Step on(const Failed& at, const DeviceReleased& event, const Given& given) {
  if (event.device != at.device) return std::nullopt;
  return part(at.ours, {}, at.device, given);
}

Step on(const Failed& at, const CapsuleRemoved&, const Given&) {
  if (at.ours) return std::nullopt;
  return Transition{Absent{}, {}};
}

Step on(const Failed& at, const LaunchAsked& event, const Given& given) {
  if (at.ours && !is_live(at.ours) && event.without_device == WithoutDevice::yes) {
    if (may_be_ejected(*at.ours) && event.memory == Memory::use) return std::nullopt;
    return go_on_detached(*at.ours, at.device, event, given);
  }
  return examine(at.device, at.ours, event, given);
}

Step on(const Failed& at, const EjectAsked& event, const Given& given) {
  return release(at.device, {}, at.ours, event, given);
}

Step on(const Failed& at, const SessionFound& event, const Given&) {
  return with_session(at, event);
}

}  // namespace satchel::core
