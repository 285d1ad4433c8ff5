// A guest's memory from the device into libvirt.
#pragma once

#include <string>

#include "format/capsule_directory.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"

namespace satchel {

/// Where it comes from and who gets it; all of it has to outlive the call.
struct SavedGuest {
  Stick& stick;
  const format::CapsuleDirectory& capsule;
  const format::Head& head;  ///< has a hibernation file
  DomainId domain;
};

/// Streams the hibernation file into libvirt, every block checked before it goes on; the guest is
/// paused then. Either side's failure ends the other. Gives the bytes read of the device.
Task<ByteCount> restore_guest(Parts& parts, SavedGuest from, std::string xml, JobContext job);

}  // namespace satchel
