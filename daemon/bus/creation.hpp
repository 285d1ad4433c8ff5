// Manager.Create's arguments as a request. Pure; any thread.
#pragma once

#include <map>
#include <string>

#include "base/handle.hpp"
#include "bus/values.hpp"
#include "runtime/commands.hpp"

namespace satchel::faces {

/// Signature "a{sh}".
using Files = std::map<std::string, UniqueFd>;

/// All but the device. Throws Fault (fix_request) that names every mistake.
CreateRequest read_creation(std::string name, Files files, Dictionary options);

}  // namespace satchel::faces
