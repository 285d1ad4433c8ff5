// Whether a generation runs on this host, and how: asked before anything is touched. A refusal is a
// Fault whose next step says what else is possible.
#pragma once

#include <string>

#include "format/head.hpp"
#include "machine/description.hpp"
#include "machine/writing.hpp"
#include "runtime/parts.hpp"

namespace satchel {

struct Clearance {
  Accelerator accelerator;
  machine::HostPolicy policy;
  MemoryLedger::Promise memory;  ///< keep it until the guest is there or is given up
};

/// `start_fresh` is offered where only the memory stands in the way.
Task<Clearance> preflight(Parts& parts, const format::Head& head,
                          const machine::Description& machine, machine::Start from);

/// What of this host's configuration and abilities goes into a domain.
machine::HostPolicy host_policy(const Config& config, const HostAbility& host,
                                Accelerator accelerator);

/// Of each card that comes up with its cable unplugged: why, and how it is plugged in.
std::vector<std::string> unplugged_cards(const Config& config, const machine::HostPolicy& policy,
                                         const machine::Description& machine, machine::Start from);

/// How a network that is not active is started, a sentence.
std::string start_network(const std::string& network);

/// "QEMU 7.2.22".
std::string emulator_name(const HostAbility& host);

}  // namespace satchel
