#include "exit_code.hpp"

#include <utility>

#include "base/error_name.hpp"

namespace satchel::cli {

ExitCode exit_code_of(Remedy remedy) {
  switch (remedy) {
    case Remedy::retry:
      return ExitCode::try_again;
    case Remedy::replug:
      return ExitCode::device_trouble;
    case Remedy::free_space:
      return ExitCode::no_space;
    case Remedy::other_device:
      return ExitCode::unsuitable_device;
    case Remedy::fix_config:
      return ExitCode::bad_configuration;
    case Remedy::fix_request:
      return ExitCode::bad_request;
    case Remedy::ask_admin:
      return ExitCode::not_authorised;
    case Remedy::choose:
      return ExitCode::choice_needed;
    case Remedy::later_version:
      return ExitCode::not_supported;
    case Remedy::report_bug:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

ExitCode exit_code_of_result(std::string_view result) {
  if (result == "done") return ExitCode::done;
  if (result == "cancelled") return ExitCode::cancelled;
  const auto remedy = remedy_of_bus_error(result);
  return remedy ? exit_code_of(*remedy) : ExitCode::failed;
}

namespace {

/// The daemon is not there, or it or the bus went while we waited.
bool is_gone(const BusError& error) {
  if (error.is_absent()) return true;
  const std::string_view name = error.name();
  for (const auto* ending : {".NoReply", ".Disconnected", ".ENOTCONN", ".ECONNRESET", ".NoServer"})
    if (name.ends_with(ending)) return true;
  return false;
}

}  // namespace

Refusal no_daemon() {
  return Refusal(ExitCode::no_daemon, "satcheld is not running.",
                 "Start it with 'systemctl start satcheld'; 'journalctl -u satcheld' tells why it "
                 "stopped.");
}

Refusal no_bus(const BusError& error) {
  return Refusal(
      ExitCode::no_daemon, "The system bus can't be reached: " + error.message() + ".",
      "satchelctl asks satcheld over it. 'systemctl status dbus' tells what is wrong; in "
      "a container or chroot there may be none.");
}

Refusal::Refusal(ExitCode code, std::string reason, std::string next)
    : code_(code), reason_(std::move(reason)), next_(std::move(next)) {}

Refusal::Refusal(const BusError& error)
    : code_(exit_code_of(error.remedy())), reason_(error.message()) {
  if (is_gone(error)) {
    *this = no_daemon();
  } else if (error.name() == "org.freedesktop.DBus.Error.UnknownObject") {
    code_ = ExitCode::not_found;
    reason_ = "It is not there any more.";
    next_ = "'satchelctl status' shows what is.";
  } else if (!remedy_of_bus_error(error.name())) {
    // The daemon's own messages end with the next step; others don't.
    if (!reason_.ends_with('.')) reason_ += '.';
    next_ = error.next_step();
  }
}

Refusal::Refusal(const Fault& fault)
    : code_(exit_code_of(fault.remedy())), reason_(fault.what()), next_(fault.next_step()) {
  if (reason_.starts_with("could")) reason_[0] = 'C';
  if (!reason_.ends_with('.')) reason_ += '.';
}

}  // namespace satchel::cli
