#include "runtime/jobs/pack.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>

#include "base/fault.hpp"
#include "disk/host_chain.hpp"
#include "disk/qemu_img.hpp"
#include "machine/reading.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/preflight.hpp"
#include "runtime/sessions.hpp"
#include "runtime/undo.hpp"

namespace satchel {

namespace {

/// One disk of the machine: what is copied, and where to.
struct SourceDisk {
  std::string target;
  std::vector<disk::SourceFile> chain;  ///< top first
  ByteCount virtual_size;
  ByteCount flat_size;
};

struct Source {
  DomainXml domain;
  machine::Reading reading;
  std::vector<SourceDisk> disks;

  bool is_alive() const { return !domain.live.empty(); }
};

std::string name_of(const PackOrder& order, const Source& source) {
  return order.name.empty() ? source.domain.entry.name : order.name;
}

Task<Source> read_source(Parts& parts, const PackOrder& order) {
  auto describing = parts.hypervisor.describe(order.domain);
  auto domain = co_await std::move(describing);
  if (!domain)
    throw Fault(Remedy::fix_request,
                Fault::Text{"pack", order.domain, "libvirt on this computer has no such machine",
                            "List the machines with: virsh list --all"});
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
std::vector<SourceDisk> measure(machine::Reading& reading) {
  machine::measure_firmware(reading);
  std::vector<SourceDisk> out;
  for (const auto& disk : reading.disks) {
    SourceDisk source{disk.target, {{disk.path, disk.format}}, {}, {}};
    if (disk.chain == machine::DiskSource::Chain::unknown)
      source.chain = disk::host_chain(source.chain.front());
    for (const auto& below : disk.backing) source.chain.push_back({below.path, below.format});
    source.virtual_size = disk::virtual_size(source.chain.front());
    source.flat_size = disk::size_when_flat(source.chain);
    out.push_back(std::move(source));
  }
  return out;
}

void check_room(const Parts& parts, const format::Room& room, const Source& source) {
  ByteCount needed = parts.config.space.keep_free_device;
  for (const auto& disk : source.disks) {
    needed = needed + disk.flat_size;
    if (disk.flat_size > room.largest_file)
      throw Fault(Remedy::other_device,
                  Fault::Text{"pack", source.domain.entry.name,
                              "disk " + disk.target + " needs a file of " +
                                  to_string(disk.flat_size) + ", more than this filesystem holds",
                              "Use a device formatted with ext4 or exFAT (satchelctl format)."});
  }
  if (needed > room.free)
    throw Fault(Remedy::free_space,
                Fault::Text{"pack", source.domain.entry.name,
                            "the device has " + to_string(room.free) + " free and " +
                                to_string(needed) + " are needed",
                            "Free some space on the device, or use a larger one."});
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

/// Image and COW file of one disk. Files lane.
void copy_disk(format::CapsuleDirectory& capsule, format::Head& head, const SourceDisk& source,
               Meter& meter, std::stop_token stop) {
  const auto image = source.target + "/image.qcow2";
  const auto cow = source.target + "/cow.qcow2";
  disk::flatten(source.chain, capsule.path_for_child(image),
                meter.begin("copying disk " + source.target), stop);
  add_object(head,
             capsule.adopt_object(image, meter.begin("reading back disk " + source.target), stop));
  disk::create_overlay(
      disk::NewOverlay{capsule.path_for_child(cow), source.virtual_size, "image.qcow2"});
  add_object(head, capsule.adopt_object(cow, {}, stop));
  head.disks.push_back({source.target, source.virtual_size, {image, cow}});
}

struct Packing {
  format::CapsuleDirectory capsule;
  format::Head head;
};

/// Copies and commits. Files lane.
format::SignedHead copy_and_commit(const Parts& parts, Packing& packing, const Source& source,
                                   const std::optional<Session>& session, Meter& meter,
                                   std::stop_token stop) {
  for (const auto& disk : source.disks) copy_disk(packing.capsule, packing.head, disk, meter, stop);
  if (source.reading.nvram_path) {
    packing.head.nvram = "state/1.nvram";
    add_object(packing.head,
               store_file(packing.capsule, *source.reading.nvram_path, *packing.head.nvram));
  }
  if (session)
    packing.head.checked_out = format::CheckedOut{parts.key.public_key().host_id(), parts.host_name,
                                                  session->session, parts.now()};
  meter.name("committing");
  return packing.capsule.commit(packing.head, parts.key);
}

/// Puts overlays over the disks of the running guest.
Task<Session> begin_session(Parts& parts, const PackOrder& order, const Source& source,
                            Undo& undo) {
  auto session = plan_session(parts, order, source);
  auto making = offload(parts.lanes.files, [&] {
    parts.shelf.make_directory(session.capsule);
    parts.shelf.save(session);
    for (std::size_t i = 0; i < session.disks.size(); ++i)
      disk::create_overlay(
          disk::NewOverlay{session.disks[i].path, source.disks[i].virtual_size, "cow.qcow2"});
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

/// A machine that has a session is a capsule already: a second one would share its guest. Files
/// lane.
void refuse_capsule(const Parts& parts, const Source& source) {
  for (const auto& session : parts.shelf.all().sessions)
    if (session.domain == source.domain.entry.id)
      throw Fault(Remedy::fix_request,
                  Fault::Text{"pack", source.domain.entry.name,
                              "it is the capsule " + session.capsule_name + " already",
                              "Eject that capsule: its device then holds the machine."});
}

Task<Packed> run(Parts& parts, const PackOrder& order, Source& source, JobContext job, Undo& undo) {
  auto measuring = offload(parts.lanes.files, [&] {
    source.disks = measure(source.reading);
    auto capsule = format::CapsuleDirectory::create(order.stick->root()->get(), order.capsule);
    auto head = first_head(order.capsule, name_of(order, source), author(parts));
    head.machine_json = machine::write_json(source.reading.machine);
    return std::make_unique<Packing>(Packing{std::move(capsule), std::move(head)});
  });
  undo.note("remove the unfinished capsule", [&parts, stick = order.stick, id = order.capsule] {
    return offload(parts.lanes.files,
                   [stick, id] { format::CapsuleDirectory::remove(stick->root()->get(), id); });
  });
  auto packing = co_await std::move(measuring);
  check_room(parts, packing->capsule.room(), source);
  ByteCount total;
  for (const auto& disk : source.disks) total = total + disk.virtual_size + disk.flat_size;
  job.meter->expect(total);

  Packed result;
  if (source.is_alive()) {
    auto beginning = begin_session(parts, order, source, undo);
    result.session = co_await std::move(beginning);
  }
  auto copying = offload(parts.lanes.files, [&] {
    return copy_and_commit(parts, *packing, source, result.session, *job.meter, job.stop);
  });
  result.head = co_await std::move(copying);
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
  for (const auto& each : source.reading.left_behind) result.left_behind.push_back(each.what);
  co_return result;
}

}  // namespace

Task<Packed> pack(Parts& parts, PackOrder order, JobContext job) {
  job.meter->name("looking at the machine");
  auto reading = read_source(parts, order);
  auto source = co_await std::move(reading);
  auto refusing = offload(parts.lanes.files, [&] { refuse_capsule(parts, source); });
  co_await std::move(refusing);
  Undo undo;
  std::exception_ptr failure;
  std::optional<Packed> packed;
  try {
    auto running = run(parts, order, source, job, undo);
    packed = co_await std::move(running);
    undo.dismiss();
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    auto undoing = undo.run(parts.log);
    co_await std::move(undoing);
    std::rethrow_exception(failure);
  }
  co_return std::move(*packed);
}

}  // namespace satchel
