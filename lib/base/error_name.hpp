// The names of Satchel's errors on the bus, and back: daemon and clients agree here. Pure; usable
// from any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/fault.hpp"

namespace satchel {

/// "org.satchel.Satchel1.Error.NoSpace": the error's name follows from what one can do about it.
std::string bus_error_name(Remedy remedy);

/// The remedy that such a name stands for; none for names that are not Satchel's.
std::optional<Remedy> remedy_of_bus_error(std::string_view name);

/// What a person reads: the reason, then the next step, as sentences.
std::string bus_error_message(const Fault& fault);

}  // namespace satchel
