// A session of this host that is to be kept elsewhere: its overlays over the files that it was
// begun over, its saved guest and its firmware's variables, all open. Files lane.
#pragma once

#include <optional>
#include <string>

#include "format/capsule_directory.hpp"
#include "runtime/jobs/export_source.hpp"
#include "runtime/jobs/saved_memory.hpp"
#include "session/session.hpp"

namespace satchel {

struct SessionSource {
  ExportSource content;
  std::optional<ImportedMemory> memory;  ///< the same as content.memory, as the file it is
  std::vector<std::string> left_behind;  ///< sentences: what of the machine does not travel
};

/// Opens and checks what the session, whose guest is saved or off, goes on from. `definition` is
/// the domain's inactive XML, for a guest that is off. `name` and `here` are for people: the
/// machine's name, this host's. Throws Fault{choose} when its device does not have the files any
/// more that it was begun over, or they were changed since.
SessionSource open_session(format::CapsuleDirectory& capsule, const Session& session,
                           const std::string& definition, const std::string& here);

}  // namespace satchel
