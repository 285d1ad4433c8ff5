// Inside of Object, for this folder only: an Interface in the form that sd-bus wants, with what it
// points to. Loop thread only.
#pragma once

#include <systemd/sd-bus.h>

#include <memory>
#include <string>
#include <vector>

#include "bus/connection.hpp"
#include "bus/object.hpp"

namespace satchel {

/// One interface at one path; registered as long as it lives.
class RegisteredInterface {
 public:
  RegisteredInterface(Connection& connection, const std::string& path, Interface interface);
  RegisteredInterface(const RegisteredInterface&) = delete;
  RegisteredInterface& operator=(const RegisteredInterface&) = delete;

  const Interface& description() const { return *description_; }

 private:
  static int on_method(sd_bus_message* message, void* userdata, sd_bus_error* error);
  static int on_property(sd_bus* bus, const char* path, const char* interface, const char* property,
                         sd_bus_message* reply, void* userdata, sd_bus_error* error);
  void fill_table();

  std::weak_ptr<Connection> connection_;
  /// Shared with the requests under way: sd-bus compares their replies with its signatures.
  const std::shared_ptr<const Interface> description_;
  std::vector<sd_bus_vtable> table_;
  BusSlot slot_;
};

}  // namespace satchel
