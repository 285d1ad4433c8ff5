// What this host can do: the questions of preflight.
#include "libvirt/host.hpp"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string_view>

#include "libvirt/fault.hpp"
#include "libvirt/hypervisor.hpp"
#include "libvirt/link.hpp"
#include "libvirt/xml.hpp"

namespace satchel {

namespace asio = boost::asio;

namespace {

/// What can be allocated without swapping, page cache included (proc(5), MemAvailable).
ByteCount available_memory() {
  std::ifstream meminfo("/proc/meminfo");
  std::string key;
  std::uint64_t kibibytes = 0;
  std::string unit;
  while (meminfo >> key >> kibibytes) {
    if (key == "MemAvailable:") return ByteCount(kibibytes << 10);
    std::getline(meminfo, unit);
  }
  throw Fault(Remedy::report_bug,
              Fault::Text{"read", "/proc/meminfo", "it has no line MemAvailable", {}});
}

/// The networks that are up. The embedded driver knows of none, nor does a host without libvirt's
/// network driver: both refuse the question.
std::vector<std::string> active_networks(virConnectPtr connection) {
  std::vector<std::string> names;
  virNetworkPtr* list = nullptr;
  const int count = virConnectListAllNetworks(connection, &list, VIR_CONNECT_LIST_NETWORKS_ACTIVE);
  if (count < 0) return names;
  const std::vector<NetworkHandle> networks(list, list + count);
  std::free(list);
  for (const auto& network : networks) names.emplace_back(virNetworkGetName(network.get()));
  return names;
}

}  // namespace

HostAbility ask_ability(Link& link, Accelerator accelerator) {
  const auto connection = link.connection();
  const CText capabilities(virConnectGetCapabilities(connection.get()));
  unsigned long libvirt_version = 0;
  unsigned long emulator_version = 0;
  if (!capabilities || virConnectGetLibVersion(connection.get(), &libvirt_version) < 0 ||
      virConnectGetVersion(connection.get(), &emulator_version) < 0)
    throw_libvirt_fault("ask for the abilities of", link.uri());
  auto ability = read_capabilities(capabilities.get(), accelerator);
  if (!ability)
    throw Fault(Remedy::ask_admin,
                Fault::Text{"run machines on", link.uri(), to_string(ability.error()), {}});
  ability->uri = link.uri();
  ability->free_memory = available_memory();
  ability->libvirt_version = libvirt_version;
  ability->emulator_version = emulator_version;
  ability->networks = active_networks(connection.get());
  return *ability;
}

namespace {

/// No error when it has ended by itself.
void end_guest(const DomainHandle& probe) {
  if (virDomainDestroy(probe.get()) == 0) return;
  if (const int code = libvirt_error_code();
      code != VIR_ERR_NO_DOMAIN && code != VIR_ERR_OPERATION_INVALID)
    throw_libvirt_fault("end", "a probe guest");
}

/// Ends the probe that an earlier run left behind, which has the name: one at a time is ours.
void end_left_probe(virConnectPtr connection, Accelerator accelerator) {
  const DomainHandle left(virDomainLookupByName(connection, probe_name(accelerator).c_str()));
  if (!left) {
    if (libvirt_error_code() != VIR_ERR_NO_DOMAIN) throw_libvirt_fault("look for", "a probe guest");
    return;
  }
  end_guest(left);
}

/// A libvirtd that goes on when this program is killed ends what it began for it. The embedded
/// driver refuses to promise that.
unsigned int lifetime(virConnectPtr connection) {
  const std::unique_ptr<char, decltype(&std::free)> uri(virConnectGetURI(connection), &std::free);
  const bool is_embedded = uri && std::string_view(uri.get()).find("///embed") != std::string::npos;
  return is_embedded ? 0U : static_cast<unsigned int>(VIR_DOMAIN_START_AUTODESTROY);
}

/// Whether libvirt could start the probe. A lost connection is a Fault, a guest that died is not.
bool start_probe(Link& link, DomainId id, Accelerator accelerator) {
  const auto connection = link.connection();
  end_left_probe(connection.get(), accelerator);
  const DomainHandle domain(virDomainCreateXML(connection.get(), probe_xml(id, accelerator).c_str(),
                                               lifetime(connection.get())));
  if (domain) return true;
  const bool unreachable = libvirt_error_code() == VIR_ERR_RPC;
  auto fault = libvirt_fault("start", "a probe guest");
  if (unreachable || virConnectIsAlive(connection.get()) != 1) throw fault;
  return false;
}

void end_probe(Link& link, DomainId id) {
  const auto connection = link.connection();
  const DomainHandle domain(virDomainLookupByUUID(connection.get(), id.value.bytes().data()));
  if (domain) end_guest(domain);
}

}  // namespace

Task<HostAbility> LibvirtHypervisor::ability(Accelerator accelerator) {
  return offload(lanes_.quick,
                 [link = link_, accelerator] { return ask_ability(*link, accelerator); });
}

Task<bool> LibvirtHypervisor::works(Accelerator accelerator) {
  if (const auto known = works_.find(accelerator); known != works_.end()) co_return known->second;
  // One probe at a time, whoever asks meanwhile: a probe clears away what it finds of others.
  if (!probing_.contains(accelerator)) {
    probing_.emplace(accelerator, Beside(link_->loop(), note_probe(accelerator)));
  }
  auto probing = probing_.at(accelerator);
  auto waiting = probing.settled();
  co_await std::move(waiting);
  probing_.erase(accelerator);
  if (probing.failure()) std::rethrow_exception(probing.failure());
  co_return works_.at(accelerator);
}

Task<void> LibvirtHypervisor::note_probe(Accelerator accelerator) {
  auto probing = probe(accelerator);
  works_[accelerator] = co_await std::move(probing);
}

Task<bool> LibvirtHypervisor::probe(Accelerator accelerator) {
  using What = GuestEvent::What;
  constexpr auto patience = std::chrono::seconds(30);
  const auto link = link_;
  const DomainId id(Uuid::random());
  asio::steady_timer ended(link->loop(), patience);
  std::optional<bool> answer;
  link->watch(id, [&](GuestEvent event) {
    // Its reset is how the firmware ends it; being paused is what KVM does to a guest it can't run.
    if (event.what == What::stopped_by_guest) answer = true;
    if (event.what == What::crashed || event.what == What::paused) answer = false;
    if (answer) ended.cancel();
  });
  std::exception_ptr failed;
  try {
    auto starting = offload(
        lanes_.slow, [link, id, accelerator] { return start_probe(*link, id, accelerator); });
    if (!co_await std::move(starting)) answer = false;
    boost::system::error_code interrupted;
    if (!answer) co_await ended.async_wait(asio::redirect_error(asio::use_awaitable, interrupted));
    auto ending = offload(lanes_.quick, [link, id] { end_probe(*link, id); });
    co_await std::move(ending);
  } catch (const Fault&) {
    failed = std::current_exception();
  }
  link->watch(id, {});
  if (failed) std::rethrow_exception(failed);
  co_return answer.value_or(false);
}

Task<std::optional<std::string>> LibvirtHypervisor::cpu_obstacle(std::string cpu_xml,
                                                                 std::string machine_type,
                                                                 Accelerator accelerator) {
  return offload(lanes_.quick, [=, link = link_]() -> std::optional<std::string> {
    const auto ability = ask_ability(*link, accelerator);
    const auto connection = link->connection();
    const int result = virConnectCompareHypervisorCPU(
        connection.get(), ability.emulator.c_str(), ability.architecture.c_str(),
        machine_type.c_str(), virt_type(accelerator).c_str(), cpu_xml.c_str(),
        VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE);
    if (result > VIR_CPU_COMPARE_INCOMPATIBLE) return std::nullopt;
    if (result == VIR_CPU_COMPARE_INCOMPATIBLE) return "this computer's processor lacks features";
    if (libvirt_error_code() == VIR_ERR_CPU_INCOMPATIBLE) return libvirt_error_text();
    throw_libvirt_fault("compare processors with", link->uri());
  });
}

}  // namespace satchel
