// A session of this host that is to be kept elsewhere: its overlays over the files that it was
// begun over, its saved guest and its firmware's variables, all open. Files lane.
#pragma once

#include <optional>
#include <string>

#include "runtime/heads.hpp"
#include "runtime/jobs/below.hpp"
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
/// the domain's inactive XML, for a guest that is off. `here`: this host.
/// `doing`: what can't be done, for people: "export". Throws Fault{choose} when what is below does
/// not have the files any more that the session was begun over, or they were changed since.
SessionSource open_session(const Below& below, const Session& session,
                           const std::string& definition, const Author& here,
                           const std::string& doing);

}  // namespace satchel
