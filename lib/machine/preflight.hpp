// Whether a machine can go on here: what of a description this host can't do, before anything is
// touched. The CPU is compared by Hypervisor::cpu_obstacle with cpu_xml(). Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "machine/description.hpp"
#include "machine/writing.hpp"

namespace satchel {
struct HostAbility;
}

namespace satchel::machine {

/// Whether this host can run an emulated TPM (swtpm is installed).
enum class TpmEmulator { absent, present };

struct Obstacle {
  enum class Blocks {
    resume,      ///< the memory image can't go on here; a boot from the disks can
    everything,  ///< not even a boot
  };
  Blocks blocks;
  std::string what;  ///< one sentence, for people
  std::string next;  ///< one sentence: what to do
};

/// All obstacles, the worst first; none means go. `start` says whether a memory image is to go on
/// (with Start::boot no `resume` obstacle is told).
std::vector<Obstacle> obstacles(const Description& machine, const HostAbility& host,
                                const HostPolicy& policy, Start start,
                                TpmEmulator tpm = TpmEmulator::present);

}  // namespace satchel::machine
