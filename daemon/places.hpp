// The directories of this run, from the variables that systemd sets, or the packaged defaults.
#pragma once

#include <filesystem>

#include "base/handle.hpp"

namespace satchel {

struct Places {
  std::filesystem::path state;          ///< STATE_DIRECTORY, /var/lib/satchel
  std::filesystem::path runtime;        ///< RUNTIME_DIRECTORY, /run/satchel
  std::filesystem::path configuration;  ///< CONFIGURATION_DIRECTORY, /etc/satchel
};

Places places();

/// Makes what is missing, and turns away a libvirt that waits for a killed run. Gives what keeps a
/// second daemon off this state directory for as long as it is open. Throws Fault.
UniqueFd prepare(const Places& places);

}  // namespace satchel
