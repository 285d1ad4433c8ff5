// Inside jobs/tend only: the machine's memory on the device is written anew, in fewer segments and
// without what it does not need (docs/decisions/0035-compaction.md). Files lane.
#pragma once

#include <string>

#include "runtime/jobs/tending.hpp"

namespace satchel::tending {

/// Commits a generation with the same memory, bit by bit, once it is on the medium; what was there
/// before goes with the sweeps, as no generation needs it any more. Gives what a person should read
/// of it; empty: there was nothing to do. Throws Fault, and leaves all as it was.
std::string compact(Tending& at, const JobContext& job);

}  // namespace satchel::tending
