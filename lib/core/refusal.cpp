// Why what was asked for is not possible now, and what is.

#include <utility>

#include "core/describe.hpp"
#include "core/react.hpp"
#include "core/settle.hpp"

namespace satchel::core {

namespace {

constexpr auto anyway = "If that session is given up, ask again with --although-needed.";
constexpr auto wait_for_it = "Wait until it is done: `satchelctl monitor` shows how far it is.";

/// Empty: a launch needs no more words.
std::string why_not_launched(const Found& found) {
  auto why = found.lacks ? lacking(*found.lacks) : std::string();
  if (found.checked_out) why += (why.empty() ? "" : " ") + held(*found.checked_out);
  return why;
}

Reason launch(const State& state, const LaunchAsked& asked) {
  if (const auto* at = std::get_if<Ready>(&state))
    if (auto why = why_not_launched(at->found); !why.empty())
      return {std::move(why), next_step(state)};
  if (std::holds_alternative<Running>(state) || std::holds_alternative<Checkpointing>(state) ||
      (session_of(state) != nullptr && std::holds_alternative<Tending>(state)))
    return {"The machine runs on this computer already.", {}};
  if (const auto* ours = session_of(state);
      ours != nullptr && asked.without_device == WithoutDevice::yes && may_be_ejected(*ours))
    return {"An eject of the machine was under way: its device may hold all of it.",
            "Plug the device in. If it is lost, launch with --without-device and --start-fresh: it "
            "boots from the disks that are kept here."};
  if (const auto* at = std::get_if<Stranded>(&state); at != nullptr && at->saving)
    return {"The machine is being saved on this computer.", wait_for_it};
  if (const auto* at = std::get_if<Stranded>(&state); at != nullptr && at->exporting)
    return {"What this computer has of the machine is being exported.", wait_for_it};
  if (const auto* at = std::get_if<Detached>(&state); at != nullptr && !at->starting)
    return {"The machine runs on this computer already, without its device.", {}};
  if (std::holds_alternative<Launching>(state) || std::holds_alternative<Detached>(state))
    return {"The machine is being launched already.", {}};
  if (std::holds_alternative<Ejecting>(state))
    return {"The machine is being ejected.",
            "Launch it again where the device is plugged in next."};
  if (std::holds_alternative<Safe>(state))
    return {"The device was released.", "Pull it out and plug it in again."};
  return {detail(state), next_step(state)};
}

Reason eject(const State& state) {
  if (std::holds_alternative<Safe>(state))
    return {"The device was released already.", "Pull it out."};
  return {detail(state), next_step(state)};
}

Reason checkpoint(const State& state) {
  if (std::holds_alternative<Checkpointing>(state))
    return {"A checkpoint is being written already.", {}};
  if (std::holds_alternative<Detached>(state))
    return {"A checkpoint is written to the device, which the machine does not use.",
            next_step(state)};
  return {"Only a machine that runs on this computer can have a checkpoint.", next_step(state)};
}

/// Empty where nobody elsewhere needs the files.
Reason needed(const Found& found, const std::optional<Session>& ours) {
  if (!is_needed_elsewhere(found, ours)) return {};
  if (found.needed_by.empty()) return {held(*found.checked_out), anyway};
  return {"What " + found.needed_by +
              " had running was taken over, and its session there may still need the files as "
              "they are.",
          anyway};
}

Reason upkeep(const State& state, Upkeep what) {
  if (const auto* at = std::get_if<Tending>(&state)) {
    switch (at->what) {
      case Upkeep::merge:
        return {"The layers are being merged already.", wait_for_it};
      case Upkeep::fold:
        return {"The changes are being merged into the image file already.", wait_for_it};
      case Upkeep::compact:
        return {"The machine's memory is being compacted already.", wait_for_it};
    }
  }
  Reason why;
  if (const auto* ready = std::get_if<Ready>(&state)) {
    why = needed(ready->found, {});
    if (why.what.empty() && ready->found.lacks)
      why = {lacking(*ready->found.lacks),
             "If that is given up, ask again with --although-needed."};
  }
  if (const auto* running = std::get_if<Running>(&state))
    why = needed(running->found, running->session);
  if (!why.what.empty()) return why;
  const std::string done =
      what == Upkeep::compact ? "The memory can be compacted" : "The disks can be merged";
  return {done + " only while the machine runs well or is at rest on its device. " + detail(state),
          next_step(state)};
}

Reason rollback(const State& state) {
  if (const auto* at = std::get_if<Ready>(&state); at && at->found.lacks)
    return {lacking(*at->found.lacks), next_step(state)};
  if (const auto* at = std::get_if<Ready>(&state); at && at->found.checked_out)
    return {held(*at->found.checked_out), next_step(state)};
  if (const auto* at = std::get_if<Ready>(&state); at && !at->found.needed_by.empty())
    return needed(at->found, {});
  return {"Only a machine that is at rest on its device can go back. " + detail(state),
          next_step(state)};
}

Reason choice(const State& state) {
  if (const auto* at = std::get_if<Diverged>(&state)) {
    if (at->resolving) return {"The choice made is being carried out.", {}};
    return {why_not_launched(at->theirs), next_step(state)};
  }
  if (const auto* at = std::get_if<Stranded>(&state)) {
    if (job_of(*at)) return {detail(state), wait_for_it};
    return {detail(state),
            "Plug the same device in again to go on, or export or discard what is kept here."};
  }
  if (std::holds_alternative<Detached>(state))
    return {detail(state), "Eject it first: it is saved on this computer then."};
  return {"There is nothing to choose: the machine has one history.", next_step(state)};
}

}  // namespace

Reason refusal(const State& state, const Event& event) {
  if (!is_asked(event)) return {};
  if (std::holds_alternative<UnlockGiven>(event)) return {"The device is not locked.", {}};
  if (std::holds_alternative<TrustGiven>(event)) return {"There is nobody to be trusted.", {}};
  if (const auto* asked = std::get_if<LaunchAsked>(&event)) return launch(state, *asked);
  if (std::holds_alternative<EjectAsked>(event)) return eject(state);
  if (std::holds_alternative<CheckpointAsked>(event)) return checkpoint(state);
  if (const auto* asked = std::get_if<UpkeepAsked>(&event)) return upkeep(state, asked->what);
  if (std::holds_alternative<RollbackAsked>(event)) return rollback(state);
  if (std::holds_alternative<ChoiceMade>(event)) return choice(state);
  return {"Nothing is under way that could be cancelled.", {}};
}

}  // namespace satchel::core
