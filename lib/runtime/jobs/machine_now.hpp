// What the machine is when it is checked in, and what it runs under: it may have changed since it
// was packed. Inside lib/runtime/jobs only. Loop thread.
#pragma once

#include <string>

#include "format/head.hpp"
#include "machine/reading.hpp"
#include "runtime/parts.hpp"
#include "session/session.hpp"

namespace satchel {

/// What the memory is made under.
struct Maker {
  Accelerator accelerator{};
  std::string emulator;
};

/// The machine of this live or saved description, which may have other devices than when it was
/// packed. What names other hosts' things stays as it was in `before_json`: this host's names are
/// hints to nobody. `doing` is for sentences: "check in". Throws Fault for what can't travel. Files
/// lane.
machine::Reading read_machine_now(const std::string& xml, machine::Moment moment,
                                  const std::string& before_json, const std::string& doing);

/// Writes the machine as it runs now into the next head. Asked before the suspension: libvirt
/// answers nothing about a domain that waits at the gate. Throws Fault for what can't travel.
Task<Maker> note_machine(Parts& parts, const Session& session, format::Head& next);

}  // namespace satchel
