#include "udisks/udisks_fault.hpp"

#include <set>
#include <string>
#include <string_view>

namespace satchel {

namespace {

constexpr std::string_view prefix = "org.freedesktop.UDisks2.Error.";

struct Answer {
  Remedy remedy;
  std::string_view next;  ///< empty: what the remedy says
};

Answer answer_to(std::string_view error) {
  if (error == "DeviceBusy" || error == "AlreadyUnmounting" || error == "Timedout" ||
      error == "Cancelled")
    return {Remedy::retry, "Close the files and programs that use the device, then try again."};
  if (error == "NotAuthorized" || error == "NotAuthorizedCanObtain" ||
      error == "NotAuthorizedDismissed" || error == "MountedByOther")
    return {Remedy::ask_admin, ""};
  if (error == "NotSupported")
    return {Remedy::other_device, "Install what the filesystem needs, or use another one."};
  if (error == "WouldWakeup") return {Remedy::retry, ""};
  return {Remedy::other_device, "Check the filesystem of the device, or use another device."};
}

}  // namespace

std::string udisks_error(const BusError& error) {
  const std::string_view name = error.name();
  return name.starts_with(prefix) ? std::string(name.substr(prefix.size())) : std::string();
}

bool is_object_gone(const BusError& error) {
  static const std::set<std::string> names{"org.freedesktop.DBus.Error.UnknownObject",
                                           "org.freedesktop.DBus.Error.UnknownInterface",
                                           "org.freedesktop.DBus.Error.UnknownMethod"};
  // What UDisks2 says while it takes one away that it has begun to work for.
  return names.contains(error.name()) || error.message() == "No enclosing object for interface";
}

Fault udisks_fault(const BusError& error, const std::string& doing, const std::string& node) {
  if (error.is_absent())
    return Fault(Remedy::fix_config,
                 Fault::Text{doing, node, "the storage service UDisks2 is not there",
                             "Install the package udisks2 and run 'systemctl start udisks2'."});
  const auto own = udisks_error(error);
  if (own.empty()) return Fault(error.remedy(), Fault::Text{doing, node, error.message(), {}});
  const auto answer = answer_to(own);
  return Fault(answer.remedy, Fault::Text{doing, node, error.message(), std::string(answer.next)});
}

Fault no_such_device(const std::string& doing, const std::string& node) {
  return Fault(Remedy::replug,
               Fault::Text{doing, node, "the system knows no such device (any more)", {}});
}

}  // namespace satchel
