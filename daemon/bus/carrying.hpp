// Manager.Export and Manager.Import: what is asked of them, read from the bus. Loop thread.
#pragma once

#include "daemon/bus/requests.hpp"

namespace satchel::faces {

Task<ObjectPath> export_capsule(Requests& requests, Caller caller, ObjectPath capsule,
                                UniqueFd directory, Dictionary given);
Task<ObjectPath> import_capsule(Requests& requests, Caller caller, UniqueFd directory,
                                ObjectPath device, Dictionary given);

}  // namespace satchel::faces
