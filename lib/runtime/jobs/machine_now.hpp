// What the machine is when it is checked in, and what it runs under: it may have changed since it
// was packed. Inside lib/runtime/jobs only. Loop thread.
#pragma once

#include <string>

#include "format/head.hpp"
#include "runtime/parts.hpp"
#include "session/session.hpp"

namespace satchel {

/// What the memory is made under.
struct Maker {
  Accelerator accelerator{};
  std::string emulator;
};

/// Writes the machine as it runs now into the next head. Asked before the suspension: libvirt
/// answers nothing about a domain that waits at the gate. Throws Fault for what can't travel.
Task<Maker> note_machine(Parts& parts, const Session& session, format::Head& next);

}  // namespace satchel
