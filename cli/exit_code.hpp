// How satchelctl ends, as satchelctl(1) documents it, and the exception that leads there.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "base/fault.hpp"
#include "bus/bus_error.hpp"

namespace satchel::cli {

enum class ExitCode : int {
  done = 0,
  failed = 1,
  usage = 2,
  try_again = 3,
  no_space = 4,
  not_authorised = 5,
  not_found = 6,
  no_daemon = 7,
  cancelled = 8,
  not_supported = 9,
  choice_needed = 10,
  device_trouble = 11,
  unsuitable_device = 12,
  bad_configuration = 13,
  bad_request = 14,
  left_running = 130,
};

ExitCode exit_code_of(Remedy remedy);
/// Of a job's result: "done", "cancelled" or the name of an error.
ExitCode exit_code_of_result(std::string_view result);

/// Why satchelctl can't do what it was asked, for people: the reason and what to do, sentences.
class Refusal : public std::exception {
 public:
  Refusal(ExitCode code, std::string reason, std::string next = {});
  /// What the daemon answered, or that there is none.
  explicit Refusal(const BusError& error);
  explicit Refusal(const Fault& fault);

  ExitCode code() const { return code_; }
  const std::string& reason() const { return reason_; }
  const std::string& next() const { return next_; }
  const char* what() const noexcept override { return reason_.c_str(); }

 private:
  ExitCode code_;
  std::string reason_;
  std::string next_;
};

/// There is no daemon to ask.
Refusal no_daemon();
/// Nor the bus over which to ask it.
Refusal no_bus(const BusError& error);

}  // namespace satchel::cli
