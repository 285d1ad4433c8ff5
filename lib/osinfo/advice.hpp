// Which devices and how much of this computer a new machine gets for an operating system: what of
// libosinfo's data becomes of Manager.Create's options. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "osinfo/systems.hpp"

namespace satchel::osinfo {

/// What this computer has in all.
struct Means {
  ByteCount memory;
  std::uint64_t cpus = 1;
};

/// Words as Manager.Create takes them (config/dbus).
struct Advice {
  std::string disk_bus, network, video, clock;
  std::vector<std::string> devices;
  ByteCount memory;
  std::uint64_t cpus = 1;
  std::optional<ByteCount> storage;
  std::vector<std::string> notes;  ///< sentences: what the system will lack
};

/// Recommended resources, but at most half of this computer's memory unless the system needs more
/// to start at all, and at most all of its processors.
Advice advise(const System& system, const Means& means);

}  // namespace satchel::osinfo
