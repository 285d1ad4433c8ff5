// What a refusal of UDisks2 means for the person in front of the computer. Pure.
#pragma once

#include <string>

#include "base/fault.hpp"
#include "bus/bus_error.hpp"

namespace satchel {

/// The last part of UDisks2's own error name ("DeviceBusy", "NotMounted"), empty for others.
std::string udisks_error(const BusError& error);

/// Whether the object that was called is not there: a device that went meanwhile, or one that is
/// not known any more because it was pulled and is back under its node.
bool is_object_gone(const BusError& error);

/// The error as a Fault that says what was being done to which device.
Fault udisks_fault(const BusError& error, const std::string& doing, const std::string& node);

/// UDisks2 does not know the device, or no longer.
Fault no_such_device(const std::string& doing, const std::string& node);

}  // namespace satchel
