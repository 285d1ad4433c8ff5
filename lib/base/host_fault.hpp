// Failing calls on this computer's own disks as Faults: another plugging in of a device helps
// nothing there. Usable from any thread.
#pragma once

#include <string>
#include <utility>

#include "base/fault.hpp"

namespace satchel {

/// As fault_from_errno, but for a disk that fails (EIO, ENODEV, ENXIO) it gives other_device and
/// says whose disk it is.
inline Fault host_fault_from_errno(int error, std::string doing, std::string object) {
  auto fault = fault_from_errno(error, std::move(doing), std::move(object));
  if (fault.remedy() != Remedy::replug) return fault;
  auto text = fault.text();
  text.next =
      "This is a disk of this computer: 'journalctl -k' tells what is wrong with it. Use another "
      "one, or try again.";
  return Fault(Remedy::other_device, std::move(text));
}

}  // namespace satchel
