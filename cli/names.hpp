// What a person means by a word on the command line. Pure; throws Refusal: not found, or which ones
// it could be.
#pragma once

#include <string>
#include <variant>

#include "runtime/view.hpp"

namespace satchel::cli {

/// Throws Refusal while something keeps all of the service from working.
void refuse_while_nothing_works(const HostView& host);

/// By name, UUID, or a beginning of either that only one has.
const CapsuleView& find_capsule(const HostView& host, const std::string& word);

/// By node ("/dev/sdb1" or "sdb1"), filesystem label, mount point or number.
const DeviceView& find_device(const HostView& host, const std::string& word);

/// The only device there is.
const DeviceView& only_device(const HostView& host);

using Target = std::variant<CapsuleView, DeviceView>;
/// One or the other; a word that names both a capsule and a device is refused.
Target find_target(const HostView& host, const std::string& word);

}  // namespace satchel::cli
