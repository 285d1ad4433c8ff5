// A failed call over the bus: a Fault that keeps the D-Bus error name. Values only; usable from any
// thread.
#pragma once

#include <string>

#include "base/fault.hpp"

namespace satchel {

class BusError : public Fault {
 public:
  /// The remedy follows from the name; `message` is what the other side said.
  BusError(std::string name, std::string doing, std::string object, std::string message);

  /// "org.freedesktop.DBus.Error.ServiceUnknown"
  const std::string& name() const { return name_; }
  /// What the other side said, unchanged.
  const std::string& message() const { return text().why; }
  /// Nobody owns the called name, nor can the bus start anybody who would.
  bool is_absent() const;

 private:
  std::string name_;
};

/// sd-bus refused locally; the name is the one that sd-bus gives that errno.
BusError bus_error_from_errno(int error, std::string doing, std::string object);

}  // namespace satchel
