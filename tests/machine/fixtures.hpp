// What the tests of lib/machine share: domains as libvirt wrote them, a host, a session.
#pragma once

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "machine/reading.hpp"
#include "machine/writing.hpp"
#include "ports/hypervisor.hpp"

namespace satchel::machine::tests {

inline std::string read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("can't read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string domain_text(const std::string& name) {
  return read_text(std::string(SATCHEL_SOURCE_DIR) + "/tests/machine/xml/" + name + ".xml");
}

inline std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  if (at == std::string::npos) throw std::runtime_error("no " + what + " in the text");
  return text.replace(at, what.size(), with);
}

inline Reading reading_of(const std::string& name) {
  auto reading = read_domain(domain_text(name));
  if (!reading) throw std::runtime_error(to_string(reading.error()));
  return *reading;
}

inline HostPolicy policy_for(const Description& machine) {
  HostPolicy policy;
  policy.emulator = "/usr/bin/qemu-system-x86_64";
  policy.accelerator = machine.accelerator;
  FirmwareFiles plain;
  plain.loader = "/usr/share/OVMF/OVMF_CODE_4M.fd";
  plain.nvram_template = "/usr/share/OVMF/OVMF_VARS_4M.fd";
  plain.loader_size = ByteCount(3653632);
  plain.machines = {"pc-i440fx-", "pc-q35-"};
  FirmwareFiles secure = plain;
  secure.loader = "/usr/share/OVMF/OVMF_CODE_4M.ms.fd";
  secure.nvram_template = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd";
  secure.secure_boot = FirmwareFiles::SecureBoot::yes;
  secure.machines = {"pc-q35-"};
  policy.firmware = {plain, secure};
  return policy;
}

/// Each disk as overlay, COW file and image file in lent descriptors.
inline SessionPlan plan_for(const Reading& reading, Start start) {
  SessionPlan plan;
  plan.domain_name = reading.machine.name;
  plan.start = start;
  plan.serial_log_path = "/var/lib/satchel/sessions/x/serial.log";
  plan.nvram_path = "/var/lib/satchel/sessions/x/nvram.fd";
  for (const DiskSource& source : reading.disks) {
    const std::string& target = source.target;
    plan.disks.push_back({target,
                          {{"", "/var/lib/satchel/sessions/x/" + target + ".qcow2", "qcow2"},
                           {target + "-cow", "/device/" + target + "/cow.qcow2", "qcow2"},
                           {target + "-image", "/device/" + target + "/image.qcow2", "qcow2"}}});
  }
  return plan;
}

}  // namespace satchel::machine::tests
