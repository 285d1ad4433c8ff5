// Inside lib/config only: a capsule's `sync` and `sync_on_return`. Asks this host for its users.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/section.hpp"

namespace satchel {

/// The targets of all rules so far, of all capsules.
using SyncTargets = std::vector<std::string>;

void read_sync(Section& capsule, CapsuleSettings& out, SyncTargets& targets);

}  // namespace satchel
