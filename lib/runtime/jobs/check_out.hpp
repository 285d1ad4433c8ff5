// The commits by which a launch takes a generation out, and gives it back when the launch fails.
// Files lane.
#pragma once

#include <optional>

#include "format/capsule_directory.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

/// Writes the check-out: from here on every other host is warned. The session goes on from it.
format::SignedHead check_out(const Parts& parts, format::CapsuleDirectory& capsule,
                             const format::Head& newest, Session& session);

/// Takes a check-out back after a launch that failed. Opens the capsule anew: a commit that failed
/// may have reached the device or not. Another host's mark that was there before comes back.
void check_back_in(const Parts& parts, const Stick& stick, const Session& session,
                   const std::optional<format::CheckedOut>& mark_before);

}  // namespace satchel
