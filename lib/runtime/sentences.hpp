// What a whole host is at, in a sentence for people. Pure.
#pragma once

#include <string>

#include "base/fault.hpp"
#include "runtime/view.hpp"

namespace satchel {

/// "1 device. traveller: ejecting (writing memory)."
std::string status_sentence(const HostView& view);
/// "Saving traveller to its device.", while somebody waits to take a machine along; else empty.
std::string saving_sentence(const HostView& view);

/// Why a device can't be used, and what to do.
std::string refusal_sentence(const Fault& refusal);
/// Of a device with a copy of a capsule whose runner has another device.
std::string second_copy_sentence(const std::string& capsule, const std::string& used_node);
/// Of a device whose drive holds more that is in use, which others names.
std::string in_use_beside_sentence(const std::string& others);
/// Of a capsule that is on such a device and was ejected.
std::string safe_but_in_use_sentence(const std::string& others);

}  // namespace satchel
