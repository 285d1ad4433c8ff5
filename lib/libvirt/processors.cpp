// Which CPU guests can have here, and which one several hosts share.
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "libvirt/fault.hpp"
#include "libvirt/handles.hpp"
#include "libvirt/host.hpp"
#include "libvirt/hypervisor.hpp"
#include "libvirt/link.hpp"
#include "libvirt/xml.hpp"

namespace satchel {

namespace {

std::string ask_host_cpu(Link& link, Accelerator accelerator) {
  const auto ability = ask_ability(link, accelerator);
  const auto connection = link.connection();
  const CText capabilities(virConnectGetDomainCapabilities(
      connection.get(), ability.emulator.c_str(), ability.architecture.c_str(), nullptr,
      virt_type(accelerator).c_str(), 0));
  if (!capabilities) throw_libvirt_fault("ask for the processor of", link.uri());
  auto cpu = read_host_model(capabilities.get());
  if (!cpu)
    throw Fault(Remedy::fix_config,
                Fault::Text{"describe the processor of", link.uri(), to_string(cpu.error()), {}});
  return std::move(*cpu);
}

std::string ask_shared_cpu(Link& link, const std::vector<std::string>& cpus,
                           Accelerator accelerator) {
  const auto ability = ask_ability(link, accelerator);
  const auto connection = link.connection();
  std::vector<const char*> texts;
  for (const auto& cpu : cpus) texts.push_back(cpu.c_str());
  const CText shared(virConnectBaselineHypervisorCPU(
      connection.get(), ability.emulator.c_str(), ability.architecture.c_str(), nullptr,
      virt_type(accelerator).c_str(), texts.data(), static_cast<unsigned>(texts.size()),
      VIR_CONNECT_BASELINE_CPU_MIGRATABLE));
  if (shared) return shared.get();
  if (libvirt_error_code() == VIR_ERR_CPU_INCOMPATIBLE)
    throw Fault(Remedy::choose,
                Fault::Text{"find", "a CPU that the known hosts share", libvirt_error_text(), {}});
  throw_libvirt_fault("compare processors with", link.uri());
}

}  // namespace

Task<std::string> LibvirtHypervisor::host_cpu(Accelerator accelerator) {
  return offload(lanes_.quick,
                 [link = link_, accelerator] { return ask_host_cpu(*link, accelerator); });
}

Task<std::string> LibvirtHypervisor::shared_cpu(std::vector<std::string> cpus,
                                                Accelerator accelerator) {
  return offload(lanes_.quick, [link = link_, cpus = std::move(cpus), accelerator] {
    return ask_shared_cpu(*link, cpus, accelerator);
  });
}

}  // namespace satchel
