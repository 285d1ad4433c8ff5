#include "runtime/jobs/machine_now.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "machine/description.hpp"
#include "runtime/jobs/preflight.hpp"

namespace satchel {

namespace {

/// A medium that is not in its drive any more stays behind: it goes with the objects that the head
/// does not name.
void leave_media(format::Head& next, const std::vector<std::string>& in_drives) {
  std::erase_if(next.disks, [&](const format::Disk& disk) {
    return disk.is_medium() && std::ranges::find(in_drives, disk.target) == in_drives.end();
  });
}

/// What goes to the device is what the session's overlays hold: a disk that came since, or a file
/// that somebody else put over one, would be left behind with it.
void check_disks(const Session& session, const std::vector<machine::DiskSource>& now) {
  const auto refuse = [&session](std::string why, std::string next) {
    throw Fault(Remedy::fix_config,
                Fault::Text{"check in", session.capsule_name, std::move(why), std::move(next)});
  };
  for (const auto& disk : now) {
    const auto ours = std::ranges::find(session.disks, disk.target, &DiskOverlay::target);
    if (ours == session.disks.end())
      refuse("its disk " + disk.target + " (" + disk.path +
                 ") was attached while it ran, and has no place on the device",
             "Detach it first: virsh detach-disk " + session.domain_name + " " + disk.target);
    else if (ours->path != disk.path)
      refuse("its disk " + disk.target + " writes to " + disk.path +
                 ", which another program has put over it, for a snapshot maybe",
             "Merge that first: virsh blockcommit " + session.domain_name + " " + disk.target +
                 " --active --pivot --base " + ours->path);
  }
}

/// What of a card is not the machine's own but came of this computer's networks.
void take_from_before(machine::Interface& card, const machine::Interface& old) {
  // On no network it was unplugged by the launch: the next computer may have one for it.
  if (card.network.empty() && card.link == machine::Switch::off) card.link = old.link;
  card.network = old.network;
}

}  // namespace

machine::Reading read_machine_now(const std::string& xml, machine::Moment moment,
                                  const std::string& before_json, const std::string& doing) {
  auto now = machine::read_domain(xml, moment);
  if (!now)
    throw Fault(Remedy::fix_config,
                Fault::Text{doing, "the machine as it is now", to_string(now.error()),
                            "Detach what can't travel (virsh detach-device) and try again."});
  machine::measure_firmware(*now);
  if (const auto before = machine::read_json(before_json)) {
    now->machine.name = before->name;
    for (auto& card : now->machine.devices.interfaces)
      for (const auto& old : before->devices.interfaces)
        if (old.mac == card.mac) take_from_before(card, old);
  }
  return std::move(*now);
}

Task<Maker> note_machine(Parts& parts, const Session& session, format::Head& next) {
  auto describing = parts.hypervisor.describe(session.domain.value.str());
  const auto domain = co_await std::move(describing);
  if (!domain || domain->live.empty())
    throw Fault(Remedy::retry,
                Fault::Text{"check in", session.capsule_name, "its guest has ended just now", {}});
  auto reading = offload(parts.lanes.files, [&] {
    return read_machine_now(domain->live, machine::Moment::running, next.machine_json, "check in");
  });
  const auto now = co_await std::move(reading);
  check_disks(session, now.disks);
  const auto& machine = now.machine;
  next.machine_json = machine::write_json(machine);
  leave_media(next, now.media);
  auto asking = parts.hypervisor.ability(machine.accelerator);
  const auto host = co_await std::move(asking);
  Maker maker{machine.accelerator, emulator_name(host)};
  co_return maker;
}

}  // namespace satchel
