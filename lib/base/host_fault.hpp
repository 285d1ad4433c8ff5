// Failing calls on this computer's own disks as Faults: another plugging in of a device helps
// nothing there. Usable from any thread.
#pragma once

#include <string>
#include <utility>

#include "base/fault.hpp"

namespace satchel {

/// The fault of something that was done to a disk of this computer: one that fails is
/// other_device in place of replug, and it is said whose disk it is.
inline Fault of_host(const Fault& fault) {
  if (fault.remedy() != Remedy::replug) return fault;
  auto text = fault.text();
  text.next =
      "This is a disk of this computer: 'journalctl -k' tells what is wrong with it. Use another "
      "one, or try again.";
  return Fault(Remedy::other_device, std::move(text));
}

/// As fault_from_errno, of a disk of this computer.
inline Fault host_fault_from_errno(int error, std::string doing, std::string object) {
  return of_host(fault_from_errno(error, std::move(doing), std::move(object)));
}

/// What `work`, which touches no other disk than this computer's, gives.
template <class F>
auto on_host(F&& work) {
  try {
    return std::forward<F>(work)();
  } catch (const Fault& fault) {
    throw of_host(fault);
  }
}

}  // namespace satchel
