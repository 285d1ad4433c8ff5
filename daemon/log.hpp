// The daemon's log: to the journal with typed fields when systemd gave us one, else to standard
// error with the time. The one mutable thing at namespace scope is inside spdlog. Thread-safe.
#pragma once

#include <memory>

#include "base/log.hpp"

namespace satchel {

std::unique_ptr<Log> open_log(LogLevel least);

}  // namespace satchel
