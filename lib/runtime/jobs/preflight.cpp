#include "runtime/jobs/preflight.hpp"

#include <algorithm>
#include <utility>

#include "base/fault.hpp"
#include "machine/preflight.hpp"
#include "runtime/host_room.hpp"

namespace satchel {

namespace {

constexpr ByteCount overlay_room = mebibytes(256);

Fault obstacle(const std::string& name, const machine::Obstacle& found) {
  const auto remedy =
      found.blocks == machine::Obstacle::Blocks::resume ? Remedy::choose : Remedy::fix_config;
  return Fault(remedy, Fault::Text{"launch", name, found.what, found.next});
}

/// The accelerator that the memory needs, or for a boot the best that works here.
Task<Accelerator> accelerator_for(Parts& parts, const format::Head& head,
                                  const machine::Description& machine, machine::Start from) {
  auto probing = parts.hypervisor.works(Accelerator::kvm);
  const bool kvm = co_await std::move(probing);
  if (from == machine::Start::boot) co_return kvm ? Accelerator::kvm : Accelerator::tcg;
  // A session that goes on here may have been pulled before its first hibernation file.
  const bool under_tcg = head.hibernation ? head.hibernation->accelerator == "tcg"
                                          : machine.accelerator == Accelerator::tcg;
  if (under_tcg) co_return Accelerator::tcg;
  if (!kvm)
    throw Fault(Remedy::choose,
                Fault::Text{"resume", head.name,
                            "its memory was saved under KVM, which does not work on this computer",
                            "Resume it on a computer with KVM, or start it fresh from its disks "
                            "here: satchelctl launch --start-fresh"});
  co_return Accelerator::kvm;
}

void check_host_room(const Parts& parts) {
  parts.disks->give_way(overlay_room);
  parts.cache->give_way(overlay_room);
  const auto free = free_space(parts.state_directory);
  const auto needed = parts.config.space.keep_free_host + overlay_room;
  if (free < needed)
    throw Fault(Remedy::free_space,
                Fault::Text{"launch on this computer", "",
                            parts.state_directory.string() + " has " + to_string(free) +
                                " free, and a session needs " + to_string(needed),
                            "Free some space on this computer's disk."});
}

}  // namespace

machine::HostPolicy host_policy(const Config& config, const HostAbility& host,
                                Accelerator accelerator) {
  machine::HostPolicy policy;
  policy.emulator = host.emulator;
  policy.accelerator = accelerator;
  // A network that is not up would keep the machine from starting: its cards get what is said for
  // networks that are not here.
  const auto up = [&](const std::string& network) {
    return std::find(host.networks.begin(), host.networks.end(), network) != host.networks.end();
  };
  for (const auto& [there, here] : config.networks.map)
    policy.networks[there] = up(here) ? here : std::string();
  if (up(config.networks.fallback)) policy.default_network = config.networks.fallback;
  policy.otherwise = config.networks.otherwise == Otherwise::user
                         ? machine::NetworkFallback::nat
                         : machine::NetworkFallback::link_down;
  policy.listen_address = config.display.listen;
  policy.firmware = machine::firmware_on_host();
  return policy;
}

std::vector<std::string> unplugged_cards(const Config& config, const machine::HostPolicy& policy,
                                         const machine::Description& machine, machine::Start from) {
  std::vector<std::string> out;
  for (const auto& card : machine.devices.interfaces) {
    if (!machine::comes_unplugged(card, policy, from)) continue;
    const auto mapped = config.networks.map.find(card.network);
    const auto& network =
        mapped == config.networks.map.end() ? config.networks.fallback : mapped->second;
    out.push_back("Its network card " + card.mac + " is unplugged: libvirt's network " + network +
                  " is not active on this computer. " + start_network(network) +
                  " Then eject the machine and launch it again.");
  }
  return out;
}

std::string start_network(const std::string& network) {
  return "Start it with: virsh net-start " + network + " (virsh net-autostart " + network +
         " does so at each boot).";
}

std::string emulator_name(const HostAbility& host) {
  const auto v = host.emulator_version;
  return "QEMU " + std::to_string(v / 1000000) + "." + std::to_string(v / 1000 % 1000) + "." +
         std::to_string(v % 1000);
}

Task<Clearance> preflight(Parts& parts, const format::Head& head,
                          const machine::Description& machine, machine::Start from) {
  auto choosing = accelerator_for(parts, head, machine, from);
  const auto accelerator = co_await std::move(choosing);
  auto asking = parts.hypervisor.ability(accelerator);
  auto host = co_await std::move(asking);
  auto policing = offload(parts.lanes.files, [&] {
    check_host_room(parts);
    return host_policy(parts.config, host, accelerator);
  });
  auto policy = co_await std::move(policing);
  // Between the question and the promise nothing else runs on this thread.
  const auto free_now = host.free_memory;
  host.free_memory = parts.memory->unpromised(free_now);
  const auto found = machine::obstacles(machine, host, policy, from);
  if (!found.empty()) throw obstacle(head.name, found.front());
  auto memory = parts.memory->promise(machine::memory(machine), free_now);
  auto comparing =
      parts.hypervisor.cpu_obstacle(machine::cpu_xml(machine), machine.machine_type, accelerator);
  if (const auto why = co_await std::move(comparing))
    throw Fault(from == machine::Start::resume ? Remedy::choose : Remedy::other_device,
                Fault::Text{"launch", head.name, *why,
                            from == machine::Start::resume
                                ? "Resume it on the computer it comes from, or start it fresh from "
                                  "its disks here: satchelctl launch --start-fresh"
                                : "Launch it on a computer with a newer processor."});
  Clearance clearance{accelerator, std::move(policy), std::move(memory)};
  co_return clearance;
}

}  // namespace satchel
