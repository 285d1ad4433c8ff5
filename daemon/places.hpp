// The directories of this run, from the variables that systemd sets, or the packaged defaults.
#pragma once

#include <filesystem>

namespace satchel {

struct Places {
  std::filesystem::path state;          ///< STATE_DIRECTORY, /var/lib/satchel
  std::filesystem::path runtime;        ///< RUNTIME_DIRECTORY, /run/satchel
  std::filesystem::path configuration;  ///< CONFIGURATION_DIRECTORY, /etc/satchel
};

Places places();

/// Makes what is missing: state and runtime for root alone, and empties the runtime directory of
/// what a killed run left. Throws Fault.
void prepare(const Places& places);

}  // namespace satchel
