// Who the worker is: from its first step on the owner of the host's folders and nobody else.
// Called once, before any other thread exists.
#pragma once

#include <string>

#include "base/handle.hpp"

namespace satchel::worker {

/// Makes this process the owner's for good, with the owner's groups and no capability. As root it
/// first makes the owner's state directory; as another user it must be the owner already. Root's
/// own files are never synced. Throws Fault.
void become(const std::string& owner, const std::string& state);

/// The state directory, locked for this process: no second worker works on it. Waits for one that
/// is ending.
UniqueFd lock_state(const std::string& state);

}  // namespace satchel::worker
