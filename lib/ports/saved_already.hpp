// Why a hypervisor refuses to save a guest that it has saved. Any thread.
#pragma once

#include "base/fault.hpp"

namespace satchel {

/// An earlier save of this guest was cut short after all of its memory was written: the guest has
/// not run since, can't be saved again, and ends or runs as it is told. Hypervisor::save throws it.
class SavedAlready : public Fault {
 public:
  explicit SavedAlready(const Fault& failure) : Fault(failure) {}
};

}  // namespace satchel
