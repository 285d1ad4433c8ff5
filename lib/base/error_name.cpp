#include "base/error_name.hpp"

#include <array>

namespace satchel {

namespace {

constexpr std::string_view prefix = "org.satchel.Satchel1.Error.";

constexpr std::array all_remedies{Remedy::retry,        Remedy::replug,     Remedy::free_space,
                                  Remedy::other_device, Remedy::fix_config, Remedy::fix_request,
                                  Remedy::ask_admin,    Remedy::choose,     Remedy::later_version,
                                  Remedy::report_bug};

std::string_view word(Remedy remedy) {
  switch (remedy) {
    case Remedy::retry:
      return "TryAgain";
    case Remedy::replug:
      return "DeviceTrouble";
    case Remedy::free_space:
      return "NoSpace";
    case Remedy::other_device:
      return "UnsuitableDevice";
    case Remedy::fix_config:
      return "BadConfiguration";
    case Remedy::fix_request:
      return "BadRequest";
    case Remedy::ask_admin:
      return "NotAuthorized";
    case Remedy::choose:
      return "ChoiceNeeded";
    case Remedy::later_version:
      return "NotSupported";
    case Remedy::report_bug:
      return "Internal";
  }
  return "Internal";
}

}  // namespace

std::string bus_error_name(Remedy remedy) {
  return std::string(prefix) + std::string(word(remedy));
}

std::optional<Remedy> remedy_of_bus_error(std::string_view name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  for (const auto remedy : all_remedies)
    if (word(remedy) == name) return remedy;
  return std::nullopt;
}

std::string bus_error_message(const Fault& fault) {
  std::string out = fault.what();
  if (!out.ends_with('.')) out += '.';
  const auto next = fault.next_step();
  return next.empty() ? out : out + " " + next;
}

}  // namespace satchel
