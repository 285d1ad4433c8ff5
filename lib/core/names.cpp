// The stable words for states, events and effects, and what can be read off any state.

#include <array>

#include "core/describe.hpp"

namespace satchel::core {

std::string_view name(const State& state) {
  static constexpr std::array<std::string_view, 15> names = {
      "absent",    "examining", "locked",        "untrusted", "ready",
      "launching", "running",   "checkpointing", "tending",   "ejecting",
      "safe",      "stranded",  "detached",      "diverged",  "failed"};
  static_assert(std::variant_size_v<State> == names.size());
  if (const auto* at = std::get_if<Tending>(&state)) {
    switch (at->what) {
      case Upkeep::merge:
        return "merging";
      case Upkeep::fold:
        return "folding";
      case Upkeep::compact:
        return "compacting";
    }
  }
  return names.at(state.index());
}

std::string_view name(const Event& event) {
  static constexpr std::array<std::string_view, 23> names = {
      "device_appeared", "device_gone",     "device_released", "examined",         "unlock_given",
      "trust_given",     "launch_asked",    "eject_asked",     "checkpoint_asked", "upkeep_asked",
      "rollback_asked",  "cancel_asked",    "choice_made",     "job_ended",        "guest_stopped",
      "guest_paused",    "guest_resumed",   "session_found",   "checkpoint_due",   "save_due",
      "upkeep_due",      "capsule_removed", "packed"};
  static_assert(std::variant_size_v<Event> == names.size());
  return names.at(event.index());
}

std::string_view name(const Effect& effect) {
  static constexpr std::array<std::string_view, 16> names = {
      "start_examine",    "start_launch",   "start_eject",    "release_device",
      "start_checkpoint", "start_upkeep",   "start_rollback", "save_stranded",
      "reattach",         "go_on_detached", "resolve",        "cancel",
      "pause_guest",      "resume_guest",   "drop_session",   "tell"};
  static_assert(std::variant_size_v<Effect> == names.size());
  return names.at(effect.index());
}

std::string_view name(Notice notice) {
  switch (notice) {
    case Notice::ready:
      return "ready";
    case Notice::checked_out_elsewhere:
      return "checked_out_elsewhere";
    case Notice::older_copy:
      return "older_copy";
    case Notice::another_branch:
      return "another_branch";
    case Notice::newest_damaged:
      return "newest_damaged";
    case Notice::needs_unlock:
      return "needs_unlock";
    case Notice::needs_trust:
      return "needs_trust";
    case Notice::examination_failed:
      return "examination_failed";
    case Notice::running:
      return "running";
    case Notice::launch_failed:
      return "launch_failed";
    case Notice::guest_off:
      return "guest_off";
    case Notice::guest_halted:
      return "guest_halted";
    case Notice::ejecting:
      return "ejecting";
    case Notice::eject_failed:
      return "eject_failed";
    case Notice::safe:
      return "safe";
    case Notice::checkpoint_failed:
      return "checkpoint_failed";
    case Notice::upkeep_failed:
      return "upkeep_failed";
    case Notice::stranded:
      return "stranded";
    case Notice::save_failed:
      return "save_failed";
    case Notice::detached:
      return "detached";
    case Notice::diverged:
      return "diverged";
  }
  return "";
}

std::string_view name(Guest guest) {
  switch (guest) {
    case Guest::unborn:
      return "unborn";
    case Guest::runs:
      return "runs";
    case Guest::paused:
      return "paused";
    case Guest::halted:
      return "halted";
    case Guest::saved:
      return "saved";
    case Guest::off:
      return "off";
  }
  return "";
}

std::string_view name(Requester requester) {
  switch (requester) {
    case Requester::person:
      return "person";
    case Requester::desktop:
      return "desktop";
    case Requester::policy:
      return "policy";
    case Requester::host_shutdown:
      return "host_shutdown";
  }
  return "";
}

std::string_view name(Upkeep what) {
  switch (what) {
    case Upkeep::merge:
      return "merge";
    case Upkeep::fold:
      return "fold";
    case Upkeep::compact:
      return "compact";
  }
  return "";
}

std::string_view name(LaunchFrom from) {
  switch (from) {
    case LaunchFrom::memory:
      return "memory";
    case LaunchFrom::disk:
      return "disk";
    case LaunchFrom::session:
      return "session";
    case LaunchFrom::afresh:
      return "afresh";
    case LaunchFrom::reattached:
      return "reattached";
  }
  return "";
}

const Session* session_of(const State& state) {
  return std::visit(
      [](const auto& at) -> const Session* {
        if constexpr (requires { at.ours.guest; })
          return &at.ours;
        else if constexpr (requires { at.ours->guest; })
          return at.ours ? &*at.ours : nullptr;
        else if constexpr (requires { at.session.guest; })
          return &at.session;
        else if constexpr (requires { at.session->guest; })
          return at.session ? &*at.session : nullptr;
        else
          return nullptr;
      },
      state);
}

const Found* found_of(const State& state) {
  return std::visit(
      [](const auto& at) -> const Found* {
        if constexpr (requires { at.theirs; })
          return &at.theirs;
        else if constexpr (requires { at.found.sequence; })
          return &at.found;
        else if constexpr (requires { at.found->sequence; })
          return at.found ? &*at.found : nullptr;
        else
          return nullptr;
      },
      state);
}

std::optional<JobId> job_of(const Stranded& at) { return at.saving ? at.saving : at.exporting; }

std::optional<JobId> job_of(const State& state) {
  if (const auto* at = std::get_if<Stranded>(&state)) return job_of(*at);
  if (const auto* at = std::get_if<Detached>(&state)) return at->starting;
  if (const auto* at = std::get_if<Diverged>(&state))
    return at->resolving ? std::optional(at->resolving->job) : std::nullopt;
  return std::visit(
      [](const auto& at) -> std::optional<JobId> {
        if constexpr (requires { at.work.job; })
          return at.work.job;
        else
          return std::nullopt;
      },
      state);
}

std::optional<Insertion> device_of(const State& state) {
  if (const auto* at = std::get_if<Stranded>(&state)) return at->arrived ? at->arrived : at->idle;
  if (const auto* at = std::get_if<Detached>(&state)) return at->arrived ? at->arrived : at->idle;
  if (const auto* at = std::get_if<Diverged>(&state))
    return at->resolving ? at->resolving->now : at->device;
  return std::visit(
      [](const auto& at) -> std::optional<Insertion> {
        if constexpr (requires { at.work.now; })
          return at.work.now;
        else if constexpr (requires { at.device; })
          return at.device;
        else
          return std::nullopt;
      },
      state);
}

}  // namespace satchel::core
