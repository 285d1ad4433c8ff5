#include "bus/bus_error.hpp"

#include <systemd/sd-bus.h>

#include <array>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error_name.hpp"

namespace satchel {

namespace {

// Ends of names, of the bus itself and of UDisks2, polkit and systemd alike.
constexpr std::array<std::pair<std::string_view, Remedy>, 27> known_endings{{
    {".NoReply", Remedy::retry},
    {".Timeout", Remedy::retry},
    {".TimedOut", Remedy::retry},
    {".Timedout", Remedy::retry},
    {".LimitsExceeded", Remedy::retry},
    {".DeviceBusy", Remedy::retry},
    {".Disconnected", Remedy::retry},
    {".Cancelled", Remedy::retry},
    {".EBUSY", Remedy::retry},
    {".ServiceUnknown", Remedy::fix_config},
    {".NameHasNoOwner", Remedy::fix_config},
    {".NoServer", Remedy::fix_config},
    {".OptionNotPermitted", Remedy::fix_config},
    {".AccessDenied", Remedy::ask_admin},
    {".AuthFailed", Remedy::ask_admin},
    {".NotAuthorized", Remedy::ask_admin},
    {".NotAuthorizedCanObtain", Remedy::ask_admin},
    {".NotAuthorizedDismissed", Remedy::ask_admin},
    {".InteractiveAuthorizationRequired", Remedy::ask_admin},
    {".NotSupported", Remedy::other_device},
    {".IOError", Remedy::replug},
    {".UnknownObject", Remedy::fix_request},
    {".InvalidArgs", Remedy::fix_request},
    {".AlreadyMounted", Remedy::fix_request},
    {".NotMounted", Remedy::fix_request},
    {".MountedByOther", Remedy::ask_admin},
    {".AlreadyUnmounting", Remedy::retry},
}};

Remedy remedy_of(std::string_view name) {
  if (const auto own = remedy_of_bus_error(name)) return *own;
  for (const auto& [ending, remedy] : known_endings)
    if (name.ends_with(ending)) return remedy;
  return Remedy::report_bug;
}

}  // namespace

BusError::BusError(std::string name, std::string doing, std::string object, std::string message)
    : Fault(remedy_of(name),
            Text{std::move(doing), std::move(object), message.empty() ? name : message, {}}),
      name_(std::move(name)) {}

bool BusError::is_absent() const {
  return name_ == SD_BUS_ERROR_SERVICE_UNKNOWN || name_ == SD_BUS_ERROR_NAME_HAS_NO_OWNER ||
         name_ == "org.freedesktop.systemd1.NoSuchUnit" ||
         name_ == "org.freedesktop.systemd1.UnitMasked" ||
         name_.starts_with("org.freedesktop.DBus.Error.Spawn.");
}

BusError bus_error_from_errno(int error, std::string doing, std::string object) {
  sd_bus_error translated = SD_BUS_ERROR_NULL;
  sd_bus_error_set_errno(&translated, error);
  std::string name = translated.name ? translated.name : SD_BUS_ERROR_FAILED;
  sd_bus_error_free(&translated);
  return BusError(std::move(name), std::move(doing), std::move(object),
                  std::generic_category().message(error));
}

}  // namespace satchel
