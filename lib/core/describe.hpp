// A state in words, for the bus, the journal and people; and what is true in it. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/effect.hpp"
#include "core/event.hpp"
#include "core/state.hpp"

namespace satchel::core {

/// "checkpointing": the Capsule's State property.
std::string_view name(const State& state);
/// "device_appeared": as in the journal.
std::string_view name(const Event& event);
/// "start_launch": as in the journal.
std::string_view name(const Effect& effect);
std::string_view name(Notice notice);
std::string_view name(Guest guest);
std::string_view name(Requester requester);
std::string_view name(LaunchFrom from);
/// "merge": as on the bus.
std::string_view name(Upkeep what);

/// What is going on, one sentence or two; never empty.
std::string detail(const State& state);
/// What the person can do, one sentence; empty when there is nothing to do but wait.
std::string next_step(const State& state);

/// Who has the newest generation checked out, since when, and what that means: one sentence.
std::string held(const CheckedOut& out);

/// What this host has seen and the device lacks, and what that makes the device: one sentence.
std::string lacking(const Lacking& seen);

/// Whether pulling this capsule's device loses nothing of the capsule: no job writes to it and no
/// session depends on it. The device as a whole may be pulled when all its capsules say so.
bool can_unplug(const State& state);

/// Whether the session goes on from what was found although no mark there says so: an eject of it
/// got as far as its commit, and its guest lives or has lived since.
bool is_unmarked(const Session& session, const Found& found);

/// Whether the session's guest is gone after an eject whose end nobody saw: its device may hold all
/// that it did.
bool may_be_ejected(const Session& session);

/// This host's session, where there is one.
const Session* session_of(const State& state);
/// The newest generation on the device, where it is known.
const Found* found_of(const State& state);
/// The job under way, where there is one.
std::optional<JobId> job_of(const Stranded& at);
std::optional<JobId> job_of(const State& state);
/// The device's insertion, where it is in a port.
std::optional<Insertion> device_of(const State& state);

/// "2026-11-22 09:34 UTC".
std::string to_string(UnixMicros time);

}  // namespace satchel::core
