// The commits by which a session takes a generation out, and gives it back when its launch fails.
// Files lane, but for what says otherwise.
#pragma once

#include <memory>
#include <optional>

#include "core/words.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

/// Writes the check-out: from here on every other host is warned. The session goes on from it.
format::SignedHead check_out(const Parts& parts, format::CapsuleDirectory& capsule,
                             const format::Head& newest, Session& session);

/// After an eject that committed `newest` and went no further: the session goes on all the same,
/// and the device is to say so. Does nothing where it does already. The journal names the
/// identities and chains of before until the caller saves it, and is right with either.
std::optional<format::SignedHead> check_out_again(const Parts& parts,
                                                  format::CapsuleDirectory& capsule,
                                                  const format::Head& newest, Session& session);

struct CheckedOutAgain {
  format::SignedHead head;
  Session session;
};
/// The same, with the journal, where the device's newest generation was `found` and the state
/// machine knows the session as `known`. None where there is nothing to do. A guest that lives does
/// not wait for it: then a failure is a warning. Throws Fault. Loop thread.
Task<std::optional<CheckedOutAgain>> check_out_again(Parts& parts, std::shared_ptr<Stick> stick,
                                                     core::Session known, core::Found found,
                                                     Session session);

/// Takes a check-out back after a launch that failed. Opens the capsule anew: a commit that failed
/// may have reached the device or not. Another host's mark that was there before comes back.
void check_back_in(const Parts& parts, const Stick& stick, const Session& session,
                   const std::optional<format::CheckedOut>& mark_before);

}  // namespace satchel
