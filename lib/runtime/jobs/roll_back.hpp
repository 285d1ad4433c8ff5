// An earlier generation made the newest again: a commit of what it names, beside what was newest.
#pragma once

#include "format/capsule_directory.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"

namespace satchel {

/// Commits the content of generation `to` anew and gives that head. What was the newest is an older
/// generation then, to which there is a way back. Throws Fault{fix_request} for
/// a generation that the device has not, Fault{choose} while the capsule is checked out. Files
/// lane.
format::SignedHead roll_back(const Parts& parts, const Stick& stick, CapsuleId capsule,
                             Sequence to);

}  // namespace satchel
