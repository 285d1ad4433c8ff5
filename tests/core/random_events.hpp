// Events as they come from a world that keeps no rules: for random walks.
#pragma once

#include <random>

#include "core/event.hpp"
#include "core/state.hpp"

namespace satchel::core::samples {

using Random = std::mt19937_64;

/// Any event, plausible in this state or not.
Event any_event(Random& random, const State& state);

}  // namespace satchel::core::samples
