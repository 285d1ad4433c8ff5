#include "runtime/jobs/pack.hpp"

#include "base/fault.hpp"
#include "base/host_fault.hpp"
#include "disk/host_chain.hpp"
#include "disk/qemu_img.hpp"
#include "machine/reading.hpp"
#include "runtime/jobs/new_capsule.hpp"
#include "runtime/sessions.hpp"
#include "runtime/undo.hpp"

namespace satchel {

namespace {

struct Source {
  DomainXml domain;
  machine::Reading reading;
  std::vector<NewDisk> disks;

  bool is_alive() const { return !domain.live.empty(); }
};

std::string name_of(const PackOrder& order, const Source& source) {
  return order.name.empty() ? source.domain.entry.name : order.name;
}

/// A disk that its definition has in another file since it was started: were the pack undone when
/// it has ended, what it wrote would go into that file.
void refuse_pending(const DomainXml& domain, const machine::Reading& running) {
  if (domain.live.empty() || domain.inactive.empty()) return;
  const auto next = machine::read_domain(domain.inactive, machine::Moment::shut_off);
  if (!next) return;
  for (const auto& disk : running.disks)
    for (const auto& later : next->disks)
      if (later.target == disk.target && later.path != disk.path)
        throw Fault(Remedy::fix_request,
                    Fault::Text{"pack", domain.entry.name,
                                "it runs on " + disk.path + " as its disk " + disk.target +
                                    ", and is to have " + later.path + " from its next start on",
                                "Shut it down, and pack it then or when it runs again."});
}

Task<Source> read_source(Parts& parts, const PackOrder& order) {
  auto describing = parts.hypervisor.describe(order.domain);
  auto domain = co_await std::move(describing);
  if (!domain)
    throw Fault(Remedy::fix_request,
                Fault::Text{"pack", order.domain, "libvirt on this computer has no such machine",
                            "List the machines with: virsh list --all"});
  if (domain->entry.has_saved_memory)
    throw memory_kept("pack", domain->entry.name, domain->entry, WhoStarts::user);
  auto reading = domain->live.empty()
                     ? machine::read_domain(domain->inactive, machine::Moment::shut_off)
                     : machine::read_domain(domain->live, machine::Moment::running);
  if (!reading)
    throw Fault(Remedy::fix_config,
                Fault::Text{"pack", domain->entry.name, to_string(reading.error()),
                            "Remove these from the machine (virsh edit) and pack again."});
  if (!reading->machine.devices.tpms.empty()) throw no_tpm_yet("pack", domain->entry.name);
  if (reading->disks.empty())
    throw Fault(Remedy::fix_config,
                Fault::Text{"pack", domain->entry.name, "it has no disk that could travel", {}});
  Source source{std::move(*domain), std::move(*reading), {}};
  co_return source;
}

/// Looks at the files of disks and firmware. Files lane.
std::vector<NewDisk> measure(machine::Reading& reading) {
  machine::measure_firmware(reading);
  std::vector<NewDisk> out;
  for (const auto& disk : reading.disks) {
    NewDisk copy{disk.target, {{disk.path, disk.format}}, {}, {}};
    if (disk.chain == machine::DiskSource::Chain::unknown)
      copy.source = disk::host_chain(copy.source.front());
    for (const auto& below : disk.backing) copy.source.push_back({below.path, below.format});
    copy.virtual_size = disk::virtual_size(copy.source.front());
    copy.image_size = disk::size_when_flat(copy.source);
    out.push_back(std::move(copy));
  }
  return out;
}

/// The session of a guest that goes on running during and after the pack.
Session plan_session(const Parts& parts, const PackOrder& order, const Source& source) {
  Session plan;
  plan.capsule = order.capsule;
  plan.capsule_name = name_of(order, source);
  plan.session = SessionId(Uuid::random());
  plan.domain = source.domain.entry.id;
  plan.domain_name = source.domain.entry.name;
  plan.defined_by = DefinedBy::user;
  plan.fs_uuid = order.stick->volume().fs_uuid;
  plan.phase = Phase::packing;
  plan.disk_sequence = order.stick->disk_sequence();
  plan.started = parts.now();
  if (!source.domain.inactive.empty()) plan.original_definition = source.domain.inactive;
  plan.nvram = source.reading.nvram_path;
  const auto directory = parts.shelf.directory(order.capsule);
  for (const auto& disk : source.disks)
    plan.disks.push_back({disk.target,
                          (directory / (disk.target + ".qcow2")).string(),
                          {disk.target + "/image.qcow2", disk.target + "/cow.qcow2"}});
  return plan;
}

/// Puts overlays over the disks of the running guest.
Task<Session> begin_session(Parts& parts, const PackOrder& order, const Source& source,
                            Undo& undo) {
  auto session = plan_session(parts, order, source);
  auto making = offload(parts.lanes.files, [&] {
    parts.shelf.make_directory(session.capsule);
    parts.shelf.save(session);
    for (std::size_t i = 0; i < session.disks.size(); ++i)
      on_host([&] {
        disk::create_overlay(
            disk::NewOverlay{session.disks[i].path, source.disks[i].virtual_size, "cow.qcow2"});
      });
    parts.shelf.save(session);  // the overlays' names are on the disk with it
  });
  // One step: while the guest may have an overlay open, its file stays. libvirt says which it has.
  undo.note("put the machine back on its own disks",
            [&parts, session] { return leave_overlays(parts, session); });
  co_await std::move(making);
  std::vector<Hypervisor::Overlay> overlays;
  for (const auto& overlay : session.disks) overlays.push_back({overlay.target, overlay.path});
  auto covering = parts.hypervisor.overlay_disks(session.domain, std::move(overlays));
  co_await std::move(covering);
  co_return session;
}

/// Whether the memory image holds a processor that only hosts like this one have.
bool has_hosts_cpu(const machine::Description& machine) {
  return machine.cpu && (machine.cpu->mode == "host-passthrough" ||
                         machine.cpu->mode == "host-model" || machine.cpu->mode == "maximum");
}

NewCapsule new_capsule(const PackOrder& order, const Source& source) {
  NewCapsule out;
  out.stick = order.stick;
  out.capsule = order.capsule;
  out.name = name_of(order, source);
  out.deed = "pack";
  out.machine_json = machine::write_json(source.reading.machine);
  out.disks = source.disks;
  if (source.reading.nvram_path) out.nvram = *source.reading.nvram_path;
  return out;
}

/// A machine that has a session is a capsule already: a second one would share its guest. Files
/// lane.
void refuse_capsule(const Parts& parts, const Source& source) {
  for (const auto& session : parts.shelf.all().sessions) {
    if (session.domain != source.domain.entry.id) continue;
    if (session.phase == Phase::packing)
      throw Fault(
          Remedy::retry,
          Fault::Text{"pack", source.domain.entry.name,
                      "another pack of it is under way, or failed and is not yet undone",
                      "Wait for it; if none is shown by satchelctl status, restart satcheld, "
                      "which then puts the machine back on its own disks."});
    throw Fault(Remedy::fix_request,
                Fault::Text{"pack", source.domain.entry.name,
                            "it is the capsule " + session.capsule_name + " already",
                            "Eject that capsule: its device then holds the machine."});
  }
}

Task<Packed> run(Parts& parts, const PackOrder& order, Source& source, JobContext job, Undo& undo) {
  auto measuring = offload(parts.lanes.files, [&] { source.disks = measure(source.reading); });
  co_await std::move(measuring);
  const auto capsule = new_capsule(order, source);
  auto beginning = begin_capsule(parts, capsule, job, undo);
  const auto unfinished = co_await std::move(beginning);

  Packed result;
  std::optional<SessionId> holder;
  if (source.is_alive()) {
    auto covering = begin_session(parts, order, source, undo);
    result.session = co_await std::move(covering);
    holder = result.session->session;
  }
  auto finishing = finish_capsule(parts, capsule, *unfinished, holder, job);
  result.head = co_await std::move(finishing);
  auto remembering = offload(
      parts.lanes.files, [&] { remember_packed(parts, order.capsule, source.domain.entry.id); });
  co_await std::move(remembering);
  if (result.session) {
    result.session->base = result.head.head.generation.id;
    result.session->base_sequence = result.head.head.generation.seq;
    result.session->phase = Phase::running;
    auto saving = offload(parts.lanes.files, [&] { parts.shelf.save(*result.session); });
    co_await std::move(saving);
  }
  for (const auto& each : source.reading.left_behind)
    result.left_behind.push_back(each.where + ": " + each.what);
  if (has_hosts_cpu(source.reading.machine))
    result.left_behind.push_back(
        "its processor is this computer's own (host-passthrough or host-model): its memory may "
        "resume on no other. virsh hypervisor-cpu-baseline gives one that several computers share");
  co_return result;
}

}  // namespace

Task<Packed> pack(Parts& parts, PackOrder order, JobContext job) {
  job.meter->name("looking at the machine");
  auto reading = read_source(parts, order);
  auto source = co_await std::move(reading);
  auto refusing = offload(parts.lanes.files, [&] { refuse_capsule(parts, source); });
  co_await std::move(refusing);
  refuse_pending(source.domain, source.reading);
  Undo undo;
  auto packing = or_undo(undo, parts.log, run(parts, order, source, job, undo));
  co_return co_await std::move(packing);
}

}  // namespace satchel
