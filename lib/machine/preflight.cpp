#include "machine/preflight.hpp"

#include <algorithm>

#include "ports/hypervisor.hpp"

namespace satchel::machine {

namespace {

const char* name_of(Accelerator accelerator) {
  return accelerator == Accelerator::kvm ? "KVM" : "emulation (TCG)";
}

bool runs(const std::string& host, const std::string& guest) {
  return host == guest || (host == "x86_64" && guest == "i686");
}

}  // namespace

std::vector<Obstacle> obstacles(const Description& machine, const HostAbility& host,
                                const HostPolicy& policy, Start start, TpmEmulator tpm) {
  using Blocks = Obstacle::Blocks;
  std::vector<Obstacle> found;
  if (!runs(host.architecture, machine.architecture)) {
    found.push_back({Blocks::everything,
                     "The machine is made for " + machine.architecture + ", this computer is " +
                         host.architecture + ".",
                     "Plug the device into a computer of that architecture."});
    return found;  // the rest would only repeat it
  }
  if (std::find(host.machine_types.begin(), host.machine_types.end(), machine.machine_type) ==
      host.machine_types.end()) {
    found.push_back({Blocks::everything,
                     "This computer's QEMU has no machine type " + machine.machine_type + ".",
                     "Install a newer QEMU here, or plug the device into another computer."});
  }
  if (machine.boot.firmware.kind == "efi" && firmware_for(machine, policy.firmware) == nullptr) {
    const std::string name = machine.boot.firmware.loader_name;
    found.push_back({Blocks::everything,
                     "The EFI firmware that the machine needs is not installed here" +
                         (name.empty() ? std::string(".") : " (there it was " + name + ")."),
                     "Install the package ovmf, in the version of the other computer."});
  }
  if (!machine.devices.tpms.empty() && tpm == TpmEmulator::absent) {
    found.push_back({Blocks::everything, "The machine has a TPM and swtpm is not installed here.",
                     "Install the package swtpm."});
  }
  if (host.free_memory.value < memory(machine).value) {
    found.push_back({Blocks::everything,
                     "The machine needs " + to_string(memory(machine)) + " of memory, " +
                         to_string(host.free_memory) + " are free here.",
                     "Close programs or other machines and try again."});
  }
  if (start == Start::resume && machine.accelerator != policy.accelerator) {
    found.push_back({Blocks::resume,
                     std::string("The memory was saved under ") + name_of(machine.accelerator) +
                         " and this computer runs machines by " + name_of(policy.accelerator) + ".",
                     "Start it afresh from its disk (the saved memory is kept), or plug the device "
                     "into a computer with " +
                         std::string(name_of(machine.accelerator)) + "."});
  }
  return found;
}

}  // namespace satchel::machine
