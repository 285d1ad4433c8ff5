#include "runtime/sessions.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "base/host_fault.hpp"
#include "disk/qemu_img.hpp"
#include "hibernation/save_image.hpp"
#include "machine/reading.hpp"
#include "runtime/remembered.hpp"

namespace satchel {

namespace {

core::Guest guest_in(const Session& session, const std::optional<DomainEntry>& guest) {
  const auto when_gone = [&] {
    if (session.phase == Phase::launching) return core::Guest::unborn;
    return session.save_image ? core::Guest::saved : core::Guest::off;
  };
  if (!guest) return when_gone();
  switch (guest->state) {
    case GuestState::running:
      return core::Guest::runs;
    case GuestState::paused:
      return session.phase == Phase::launching ? core::Guest::unborn : core::Guest::paused;
    case GuestState::paused_by_io_error:
      return core::Guest::halted;
    case GuestState::shut_off:
    case GuestState::crashed:
      return when_gone();
  }
  return when_gone();
}

Fault kept(const Session& session, std::string why) {
  return Fault(
      Remedy::choose,
      Fault::Text{"put back the disks of", session.domain_name, std::move(why),
                  "What it wrote since the pack began is in " +
                      std::filesystem::path(session.disks.front().path).parent_path().string() +
                      "; merge it with qemu-img rebase -u and commit."});
}

/// Whether a guest has written to the overlay. A new one is at most four clusters of 64 KiB long;
/// the first write adds a table and its data.
bool holds_data(const std::string& overlay) {
  std::error_code absent;
  const auto size = std::filesystem::file_size(overlay, absent);
  return !absent && size > (4U << 16);
}

/// What it held is in the disk below: once more, later, would undo what was written there since.
void remove_merged(const std::string& overlay) {
  if (::unlink(overlay.c_str()) != 0 && errno != ENOENT)
    throw host_fault_from_errno(errno, "remove", overlay);
}

/// The overlays of a guest that has ended, into the disks that its definition names. Files lane.
void merge_at_rest(const Session& session) {
  for (const auto& overlay : session.disks) {
    if (!holds_data(overlay.path)) continue;
    if (!session.original_definition) throw kept(session, "it had no definition of its own");
    const auto own = machine::read_domain(*session.original_definition, machine::Moment::shut_off);
    if (!own) throw kept(session, to_string(own.error()));
    const auto disk = std::find_if(own->disks.begin(), own->disks.end(),
                                   [&](const auto& each) { return each.target == overlay.target; });
    if (disk == own->disks.end())
      throw kept(session, "its definition has no disk " + overlay.target);
    disk::merge_into({disk->path, disk->format}, overlay.path);
    remove_merged(overlay.path);
  }
}

}  // namespace

core::Session core_session(const Session& session, const std::optional<DomainEntry>& guest) {
  core::Session out;
  out.id = session.session;
  out.base = session.base;
  out.committing = session.committing;
  if (session.committing && session.phase != Phase::ejecting)
    out.since_commit = core::Since::ran_on;
  out.domain = session.domain;
  out.guest = guest_in(session, guest);
  return out;
}

Task<core::Session> core_session_now(Parts& parts, Session session) {
  auto finding = parts.hypervisor.find(session.domain);
  const auto guest = co_await std::move(finding);
  co_return core_session(session, guest);
}

namespace {

bool has_mark_of(const Session& session, const format::Head& newest) {
  return newest.checked_out && newest.checked_out->session == session.session;
}

}  // namespace

bool is_of_session(const format::Head& newest, const Session& session) {
  const auto& id = newest.generation.id;
  return has_mark_of(session, newest) || id == session.base || id == session.committing;
}

void follow(Session& session, const format::Head& newest) {
  if (!has_mark_of(session, newest)) return;
  session.base = newest.generation.id;
  session.base_sequence = newest.generation.seq;
  for (auto& overlay : session.disks)
    for (const auto& disk : newest.disks)
      if (disk.target == overlay.target) overlay.chain = disk.chain;
}

bool is_alive(const std::optional<DomainEntry>& guest) {
  return guest && (guest->state == GuestState::running || guest->state == GuestState::paused ||
                   guest->state == GuestState::paused_by_io_error);
}

Task<void> note_phase(Parts& parts, Session& session, Phase phase) {
  session.phase = phase;
  auto noting = offload(parts.lanes.files, [&] { parts.shelf.save(session); });
  co_await std::move(noting);
}

bool has_written(const Session& session) {
  return std::ranges::any_of(session.disks, [](const auto& disk) {
    return std::ranges::any_of(disk.overlays(), holds_data);
  });
}

std::filesystem::path serial_log(const Parts& parts, CapsuleId capsule) {
  return parts.state_directory / "serial" / (capsule.value.str() + ".log");
}

machine::SessionPlan session_plan(const Parts& parts, const Session& session,
                                  std::vector<machine::SessionDisk> disks) {
  machine::SessionPlan plan;
  plan.domain_name = session.domain_name;
  plan.disks = std::move(disks);
  plan.serial_log_path = serial_log(parts, session.capsule).string();
  if (session.nvram) plan.nvram_path = *session.nvram;
  return plan;
}

std::filesystem::path fifo_directory(const Parts& parts, CapsuleId capsule) {
  auto directory = parts.runtime_directory / capsule.value.str();
  if (::mkdir(directory.c_str(), 0711) != 0 && errno != EEXIST)
    throw host_fault_from_errno(errno, "make", directory.string());
  return directory;
}

Fault no_tpm_yet(std::string doing, std::string name) {
  return Fault(Remedy::later_version,
               Fault::Text{std::move(doing), std::move(name),
                           "it has a TPM, whose state this version of Satchel can't carry",
                           "Remove the TPM from the machine (virsh edit) if its system does not "
                           "need it."});
}

std::filesystem::path saved_guest(const Parts& parts, CapsuleId capsule) {
  return parts.shelf.directory(capsule) / "guest.save";
}

std::filesystem::path cut_short_save(const Parts& parts, CapsuleId capsule) {
  return parts.shelf.directory(capsule) / "guest.save.cut";
}

void set_aside(const Parts& parts, const Session& session) {
  const auto image = saved_guest(parts, session.capsule);
  const auto kept = cut_short_save(parts, session.capsule);
  // A later attempt that QEMU refused leaves a header alone: it must not take the place of a whole
  // one.
  if (hibernation::is_whole_save(kept)) return;
  std::error_code failed;
  if (std::filesystem::exists(image, failed)) std::filesystem::rename(image, kept, failed);
  if (failed) parts.log.warning("could not keep " + image.string() + ": " + failed.message());
}

Task<void> end_if_alive(Parts& parts, DomainId domain) {
  auto finding = parts.hypervisor.find(domain);
  const auto guest = co_await std::move(finding);
  if (!is_alive(guest)) co_return;
  auto ending = parts.hypervisor.destroy(domain);
  co_await std::move(ending);
}

void remove_session(const Parts& parts, CapsuleId capsule) {
  parts.tags->drop(capsule);
  parts.shelf.remove(capsule);
}

Task<void> leave_overlays(Parts& parts, Session session) {
  auto describing = parts.hypervisor.describe(session.domain.value.str());
  const auto domain = co_await std::move(describing);
  if (domain && !domain->live.empty()) {
    std::vector<DiskOverlay> covering;
    for (const auto& overlay : session.disks)
      if (domain->live.find(overlay.path) != std::string::npos)
        covering.push_back(overlay);
      else if (holds_data(overlay.path))
        throw kept(session, "it runs on its own disks, which lack what is in the overlays");
    // One by one, each file gone with its merge: when a later disk fails, the next attempt sees
    // what is left to do.
    for (std::size_t i = 0; i < covering.size(); ++i) {
      std::vector<std::string> target(1, covering[i].target);
      auto merging = parts.hypervisor.merge_overlays(session.domain, std::move(target));
      co_await std::move(merging);
      auto removing =
          offload(parts.lanes.files, [path = covering[i].path] { remove_merged(path); });
      co_await std::move(removing);
    }
  } else {
    auto merging = offload(parts.lanes.files, [session] { merge_at_rest(session); });
    co_await std::move(merging);
  }
  if (session.original_definition) {
    auto defining = parts.hypervisor.define(*session.original_definition);
    co_await std::move(defining);
  }
  auto removing = offload(parts.lanes.files, [&parts, &session] {
    // What the device may have of it by now is older than the machine, and nobody runs it.
    forget_packed(parts, session.capsule);
    remember_unrun(parts, session.capsule, session.session);
    remove_session(parts, session.capsule);
  });
  co_await std::move(removing);
}

Task<void> drop_session(Parts& parts, Session session) {
  auto ending = end_if_alive(parts, session.domain);
  co_await std::move(ending);
  if (session.defined_by == DefinedBy::us) {
    auto removing = parts.hypervisor.undefine(session.domain);
    co_await std::move(removing);
  } else if (session.original_definition) {
    auto defining = parts.hypervisor.define(*session.original_definition);
    co_await std::move(defining);
  }
  auto removing = offload(parts.lanes.files, [&parts, &session] {
    if (session.phase == Phase::launching) remember_unrun(parts, session.capsule, session.session);
    remove_session(parts, session.capsule);
  });
  co_await std::move(removing);
}

}  // namespace satchel
