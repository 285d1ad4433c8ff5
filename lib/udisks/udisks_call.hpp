// Calls to UDisks2, as its reference has them (http://storaged.org/doc/udisks2-api/latest/). Inner
// header of lib/udisks.
#pragma once

#include <string>

#include "bus/bus.hpp"

namespace satchel {

inline constexpr auto udisks_service = "org.freedesktop.UDisks2";

/// `interface` without its prefix: "Filesystem".
inline BusCall udisks_call(const ObjectPath& path, const std::string& interface,
                           const std::string& method) {
  BusCall call(udisks_service, path.value, std::string(udisks_service) + "." + interface, method);
  // Flushing a slow stick or making a filesystem on a large one takes as long as it takes.
  call.timeout = BusCall::no_timeout;
  return call;
}

/// The options that all its methods take.
inline Dictionary unattended() {
  Dictionary options;
  options["auth.no_user_interaction"] = true;
  return options;
}

}  // namespace satchel
