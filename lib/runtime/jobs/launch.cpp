#include "runtime/jobs/launch.hpp"

#include <algorithm>
#include <filesystem>

#include "base/fault.hpp"
#include "base/host_fault.hpp"
#include "disk/qemu_img.hpp"
#include "machine/writing.hpp"
#include "runtime/chains.hpp"
#include "runtime/disk_check.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/check_out.hpp"
#include "runtime/jobs/guest_clock.hpp"
#include "runtime/jobs/preflight.hpp"
#include "runtime/jobs/restore.hpp"
#include "runtime/sessions.hpp"
#include "runtime/undo.hpp"

namespace satchel {

namespace {

/// A launch on its way; lives in the coroutine.
struct Launch {
  std::shared_ptr<Stick> stick;
  format::CapsuleDirectory capsule;
  format::SignedHead head;
  machine::Description machine;
  Session session;
};

struct Opened {
  format::CapsuleDirectory capsule;
  format::SignedHead head;
};

Opened open_newest(const LaunchOrder& order) {
  auto capsule = format::CapsuleDirectory::open(order.stick->root()->get(), order.capsule);
  auto seen = capsule.examine();
  if (!seen.newest)
    throw Fault(
        Remedy::other_device,
        Fault::Text{
            "launch from", order.stick->volume().node, "no generation on it is complete", {}});
  if (seen.newest->head.generation.id != order.expected)
    throw Fault(Remedy::replug, Fault::Text{"launch from",
                                            order.stick->volume().node,
                                            "its content changed since it was examined",
                                            {}});
  // Nothing is written to a device whose machine could not start.
  check_length(seen.newest->head);
  for (const auto& disk : seen.newest->head.disks) open_chain(capsule, seen.newest->head, disk);
  return Opened{std::move(capsule), std::move(*seen.newest)};
}

Session plan_session(const Parts& parts, const LaunchOrder& order, const format::Head& head,
                     const machine::Description& machine) {
  Session plan;
  plan.capsule = head.capsule;
  plan.capsule_name = head.name;
  plan.session = SessionId(Uuid::random());
  plan.domain = machine.id;
  plan.domain_name = machine.name;
  plan.fs_uuid = order.stick->volume().fs_uuid;
  plan.base = head.generation.id;
  plan.base_sequence = head.generation.seq;
  plan.phase = Phase::launching;
  plan.started = parts.now();
  plan.disk_sequence = order.stick->disk_sequence();
  const auto directory = parts.shelf.directory(head.capsule);
  for (const auto& disk : head.disks)
    if (!disk.is_medium())
      plan.disks.push_back(
          {disk.target, (directory / (disk.target + ".qcow2")).string(), disk.chain});
  if (head.nvram) plan.nvram = (directory / "nvram.fd").string();
  return plan;
}

/// The session's files on this host. Files lane.
void make_files(Parts& parts, const Launch& launch) {
  parts.shelf.remove(launch.session.capsule);  // a leftover: see refuse_leftovers()
  parts.shelf.make_directory(launch.session.capsule);
  parts.shelf.save(launch.session);
  for (const auto& overlay : launch.session.disks) {
    const auto disk = std::find_if(launch.head.head.disks.begin(), launch.head.head.disks.end(),
                                   [&](const auto& each) { return each.target == overlay.target; });
    on_host([&] {
      disk::create_overlay(
          disk::NewOverlay{overlay.path, disk->virtual_size, file_name(disk->chain.back())});
    });
  }
  if (launch.session.nvram)
    write_private_file(
        *launch.session.nvram,
        launch.capsule.read_object(*launch.head.head.find(*launch.head.head.nvram), mebibytes(64)));
}

/// A session's files that nobody here knows to do anything with may hold all that a guest did.
/// Files lane; throws Fault also when there is a journal that can't be read.
void refuse_leftovers(const Parts& parts, const Session& session) {
  if (!parts.shelf.find(session.capsule) && parts.shelf.is_free(session.capsule)) return;
  throw Fault(
      Remedy::choose,
      Fault::Text{
          "launch", session.capsule_name,
          "an earlier session of it could not be undone, and is kept in " +
              parts.shelf.directory(session.capsule).string(),
          "That is tried again when libvirt is there again, and when satcheld is restarted; "
          "or move the directory aside."});
}

/// The name under which the machine runs here, and whose its definition is.
Task<void> settle_name(Parts& parts, Session& session) {
  auto finding = parts.hypervisor.find(session.domain);
  if (const auto same = co_await std::move(finding)) {
    auto looking = offload(parts.lanes.files,
                           [&] { return was_packed_here(parts, session.capsule, session.domain); });
    if (!co_await std::move(looking))
      throw Fault(
          Remedy::fix_request,
          Fault::Text{"launch", session.capsule_name,
                      "libvirt has another machine with its identity here: " + same->name,
                      "If that one is not needed, remove it: virsh undefine " + same->name});
    if (same->state != GuestState::shut_off && same->state != GuestState::crashed)
      throw Fault(Remedy::fix_request,
                  Fault::Text{"launch", session.capsule_name,
                              "the same machine runs here already as libvirt domain " + same->name,
                              "Shut that one down first."});
    if (same->has_saved_memory)
      throw memory_kept("launch", session.capsule_name, *same, WhoStarts::user);
    session.domain_name = same->name;
    session.defined_by = DefinedBy::user;
    co_return;
  }
  session.defined_by = DefinedBy::us;
  auto describing = parts.hypervisor.describe(session.domain_name);
  if (co_await std::move(describing))
    session.domain_name += "-" + session.capsule.value.str().substr(0, 8);
}

Task<void> start(Parts& parts, Launch& launch, const Clearance& clearance, machine::Start from,
                 JobContext job, Undo& undo, ByteCount& read) {
  auto lending = offload(parts.lanes.files, [&] {
    return lend_chains(opener(launch.capsule), launch.head.head, launch.session.disks);
  });
  auto chains = co_await std::move(lending);
  auto plan = session_plan(parts, launch.session, std::move(chains.disks));
  plan.start = from;
  const auto xml = machine::write_domain(launch.machine, clearance.policy, plan);
  const auto domain = launch.session.domain;
  auto& hypervisor = parts.hypervisor;
  if (launch.session.defined_by == DefinedBy::us) {
    auto defining = hypervisor.define(xml);
    co_await std::move(defining);
    undo.note("remove the definition",
              [&hypervisor, domain] { return hypervisor.undefine(domain); });
  }
  undo.note("take the device's files back from libvirt",
            [&hypervisor, domain, groups = groups_of(chains.files)] {
              return take_back(hypervisor, domain, groups);
            });
  auto giving = hypervisor.lend(domain, std::move(chains.files));
  co_await std::move(giving);
  undo.note(
      "end the guest", [&parts, session = launch.session] { return end_if_alive(parts, session); },
      Undo::OnFailure::stop);
  if (from == machine::Start::boot) {
    job.meter->name("starting the machine");
    auto noting = note_phase(parts, launch.session, Phase::waking);
    co_await std::move(noting);
    auto starting = hypervisor.start(domain, xml);
    co_await std::move(starting);
    co_return;
  }
  auto restoring = restore_guest(
      parts, SavedGuest{*launch.stick, launch.capsule, launch.head.head, domain}, xml, job);
  read = co_await std::move(restoring);
  if (launch.head.head.hibernation->was_paused) co_return;
  // Before it may run: whoever finds the journal then lets a paused guest run, and drops none.
  auto noting = note_phase(parts, launch.session, Phase::waking);
  co_await std::move(noting);
  auto resuming = hypervisor.resume(domain);
  co_await std::move(resuming);
  set_guest_clock(parts, domain, launch.session.capsule_name);
}

Task<void> run(Parts& parts, Launch& launch, const Clearance& clearance, machine::Start from,
               JobContext job, Undo& undo, ByteCount& read) {
  const auto capsule = launch.session.capsule;
  undo.note("remove the session's files", [&parts, capsule] {
    return offload(parts.lanes.files, [&parts, capsule] { remove_session(parts, capsule); });
  });
  auto making = offload(parts.lanes.files, [&] { make_files(parts, launch); });
  co_await std::move(making);

  job.meter->name("checking out");
  const auto mark_before = launch.head.head.checked_out;
  undo.note("take the check-out back", [&parts, &launch, mark_before] {
    return offload(parts.lanes.files, [&parts, &launch, mark_before] {
      // First, as the device may be gone; this computer's disk may be full.
      std::optional<Fault> unnoted;
      try {
        remember_unrun(parts, launch.session.capsule, launch.session.session);
      } catch (const Fault& failure) {
        unnoted = failure;
      }
      check_back_in(parts, *launch.stick, launch.session, mark_before);
      if (unnoted)
        parts.log.warning(std::string(unnoted->what()) + "; its device says by itself that " +
                          launch.session.capsule_name + " is not in use here");
    });
  });
  auto checking = offload(parts.lanes.files, [&] {
    launch.head = check_out(parts, launch.capsule, launch.head.head, launch.session);
    parts.shelf.save(launch.session);
  });
  co_await std::move(checking);

  auto starting = start(parts, launch, clearance, from, job, undo, read);
  co_await std::move(starting);

  auto noting = note_phase(parts, launch.session, Phase::running);
  co_await std::move(noting);
}

}  // namespace

Task<Launched> launch(Parts& parts, LaunchOrder order, JobContext job) {
  const auto began = std::chrono::steady_clock::now();
  job.meter->name("checking the device");
  auto opening = offload(parts.lanes.files, [&] { return open_newest(order); });
  auto opened = co_await std::move(opening);
  auto machine = machine::read_json(opened.head.head.machine_json);
  if (!machine)
    throw Fault(Remedy::other_device, Fault::Text{"read the machine description of",
                                                  opened.head.head.name,
                                                  to_string(machine.error()),
                                                  {}});
  if (!machine->devices.tpms.empty()) throw no_tpm_yet("launch", opened.head.head.name);
  const auto from = opened.head.head.hibernation ? order.from : machine::Start::boot;
  auto asking = preflight(parts, opened.head.head, *machine, from);
  const auto clearance = co_await std::move(asking);

  auto session = plan_session(parts, order, opened.head.head, *machine);
  auto looking = offload(parts.lanes.files, [&] { refuse_leftovers(parts, session); });
  co_await std::move(looking);
  auto naming = settle_name(parts, session);
  co_await std::move(naming);
  Launch launch{order.stick, std::move(opened.capsule), std::move(opened.head), std::move(*machine),
                std::move(session)};
  const auto files = files_to_check(parts.config, DiskUse::by_guest, launch.head.head,
                                    chains_of(launch.head.head));
  auto expected = size_of(files);
  if (from == machine::Start::resume)
    expected = expected + launch.head.head.hibernation->stream_size;
  job.meter->expect_more(expected);
  auto comparing = offload(parts.lanes.files,
                           [&] { compare_disks(launch.capsule, launch.head.head, files, job); });
  co_await std::move(comparing);

  Undo undo;
  ByteCount read;
  auto running = or_undo(undo, parts.log, run(parts, launch, clearance, from, job, undo, read));
  co_await std::move(running);
  Launched result{std::move(launch.session), std::move(launch.head), read,
                  std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::steady_clock::now() - began),
                  unplugged_cards(parts.config, clearance.policy, launch.machine, from)};
  co_return result;
}

}  // namespace satchel
