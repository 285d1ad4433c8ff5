// The names that a sync gives: of what comes beside the host's own file, and of the folders in the
// trash. The local time zone counts. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace satchel::sync {

/// "2026-11-22 10.15", by local time: in names of files and folders.
std::string moment_words(UnixNanos when);
/// Back, to the minute; none for any other text.
std::optional<UnixNanos> parse_moment(std::string_view words);

/// "name (from CAPSULE, 2026-11-22 10.15).ext": where the guest's version goes beside the host's.
/// `attempt` counts from 1; the later ones say their number. At most 255 bytes; the extension
/// stays.
std::string beside_name(std::string_view name, std::string_view capsule, std::string_view moment,
                        unsigned attempt);

/// The name for a second thing of this name in the trash: "name (2).ext".
std::string numbered_name(std::string_view name, unsigned number);

}  // namespace satchel::sync
