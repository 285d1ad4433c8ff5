// The per-host state machine of one capsule, as a pure function: no clock, no I/O, nothing thrown
// but std::bad_alloc. The runtime's runner is its only caller and the only one to assign a state.
// docs/STATES.md is generated from it. Any thread.
#pragma once

#include <optional>
#include <vector>

#include "core/effect.hpp"
#include "core/event.hpp"
#include "core/state.hpp"

namespace satchel::core {

struct Transition {
  State state;
  std::vector<Effect> effects;
};

/// The next state and what to do. None: "not now" for what was asked (refusal() says why), ignored
/// for a fact. `next` is the id of the job that the transition begins, if it begins one.
std::optional<Transition> react(const State& state, const Event& event, JobId next,
                                const Policy& policy);

/// Why an asked event was answered with none: never empty for such an event, empty for a fact.
Reason refusal(const State& state, const Event& event);

/// Whether somebody asked for it and waits for an answer.
bool is_asked(const Event& event);

}  // namespace satchel::core
