// Whether a person is told to unplug a device after a command.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "commands.hpp"

namespace satchel::cli {

/// What must hold before anybody is told to unplug.
struct Unplugging {
  std::optional<DeviceNumber> device;
  std::set<CapsuleId> capsules;  ///< that were on it

  /// As the properties say: the device's, or its capsules' when it is gone already.
  bool allowed(const HostView& host) const;
  /// What the device says of itself, and which machines use it; with a space before it.
  std::string in_use_by(const HostView& host) const;
};
Unplugging unplugging(const HostView& host, std::optional<DeviceNumber> device);

struct Verdict {
  bool allowed = false;
  std::string sentence;
};
/// Whether it may be unplugged. The properties may follow the job's end by a moment.
Task<Verdict> verdict_on(Context& context, Unplugging what);

}  // namespace satchel::cli
