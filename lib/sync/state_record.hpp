// One remembered path as bytes. Inside lib/sync only. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sync/plan.hpp"

namespace satchel::sync {

/// Appends it.
void write_record(const RecordChange& change, std::string& out);

/// Takes one off the front; none when the bytes are not one.
std::optional<RecordChange> take_record(std::string_view& bytes);

}  // namespace satchel::sync
