// Failures told by a name that people know, where what was done has another, as a path below /proc.
#pragma once

#include <string>
#include <utility>

#include "base/fault.hpp"

namespace satchel {

/// What `act` gives; a Fault that it throws is about `object`.
template <class Act>
decltype(auto) told_of(std::string object, Act act) {
  try {
    return act();
  } catch (const Fault& fault) {
    auto text = fault.text();
    text.object = std::move(object);
    throw Fault(fault.remedy(), std::move(text));
  }
}

}  // namespace satchel
