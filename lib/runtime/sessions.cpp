#include "runtime/sessions.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
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

Fault kept(const Session& session, std::string why) {
  return Fault(
      Remedy::choose,
      Fault::Text{"put back the disks of", session.domain_name, std::move(why),
                  "What it wrote since the pack began is in " +
                      std::filesystem::path(session.disks.front().path).parent_path().string() +
                      "; merge it with qemu-img rebase -u and commit."});
}

/// A libvirt that was killed while it put an overlay over a disk does not know of it.
bool is_in_use(const std::string& overlay) {
  std::error_code failed;
  const bool is_there = std::filesystem::exists(overlay, failed);
  return failed || (is_there && !disk::is_free(overlay));
}

/// What it held is in the disk below: once more, later, would undo what was written there since.
void remove_merged(const std::string& overlay) {
  if (::unlink(overlay.c_str()) != 0 && errno != ENOENT)
    throw host_fault_from_errno(errno, "remove", overlay);
}

/// What can't be asked for counts as changed.
bool has_changed_since(const std::string& file, const std::string& other) {
  std::error_code one;
  std::error_code two;
  const auto changed = std::filesystem::last_write_time(file, one);
  return changed > std::filesystem::last_write_time(other, two) || one || two;
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
    if (overlay.leaving && has_changed_since(disk->path, overlay.path))
      throw kept(session, "disk " + overlay.target + " was written to after its overlay, " +
                              overlay.path + ", which may be in it already");
    disk::merge_into({disk->path, disk->format}, overlay.path);
    remove_merged(overlay.path);
  }
}

/// Whether a generation of that number, but another one, is in the past of this head.
bool has_another(const format::Head& head, Sequence seq, const GenerationId& id) {
  return std::ranges::any_of(head.history, [&](const format::Past& past) {
    return past.generation.seq == seq && past.generation.id != id;
  });
}

bool has_mark_of(const Session& session, const format::Head& newest) {
  return newest.checked_out && newest.checked_out->session == session.session;
}

}  // namespace

/// A new one is at most four clusters of 64 KiB long; the first write adds a table and its data.
bool holds_data(const std::string& overlay) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(overlay, failed);
  if (failed) return failed != std::errc::no_such_file_or_directory;
  return size > (4U << 16);
}

bool lacks_files_of(const format::Head& head, const Session& session) {
  if (session.checkpointed && head.generation.seq < *session.checkpointed) return true;
  if (session.checkpoint && has_another(head, *session.checkpointed, *session.checkpoint))
    return true;
  if (head.generation.seq >= session.base_sequence) return false;
  // A journal of an earlier version has no such number.
  return std::ranges::any_of(session.disks, [&](const DiskOverlay& overlay) {
    // The first overlay has all that was done since the session began, whatever an eject that
    // failed late has left on the device; the one after a checkpoint that came there has not.
    const std::filesystem::path path = overlay.overlays().back();
    if (path.filename() == overlay.target + ".qcow2") return false;
    const auto disk = std::ranges::find(head.disks, overlay.target, &format::Disk::target);
    // A COW file of a name that is not there was written anew by a merge: what it holds is there.
    return disk == head.disks.end() || std::ranges::any_of(overlay.chain, [&](const auto& file) {
             return file.find("/layer-") != std::string::npos &&
                    std::ranges::find(disk->chain, file) == disk->chain.end();
           });
  });
}

bool is_of_session(const format::Head& newest, const Session& session) {
  const auto& id = newest.generation.id;
  return (has_mark_of(session, newest) && !lacks_files_of(newest, session)) || id == session.base ||
         id == session.committing;
}

void follow(Session& session, const format::Head& newest) {
  if (!has_mark_of(session, newest) || lacks_files_of(newest, session)) return;
  session.base = newest.generation.id;
  session.base_sequence = newest.generation.seq;
  for (auto& overlay : session.disks)
    for (const auto& disk : newest.disks)
      if (disk.target == overlay.target) overlay.chain = disk.chain;
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
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
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
  if (hibernation::is_whole_save(kept) && !hibernation::is_whole_save(image)) return;
  std::error_code failed;
  if (std::filesystem::exists(image, failed)) std::filesystem::rename(image, kept, failed);
  if (failed) parts.log.warning("could not keep " + image.string() + ": " + failed.message());
}

void remove_session(const Parts& parts, CapsuleId capsule) {
  parts.tags->drop(capsule);
  parts.shelf.remove(capsule);
}

namespace {

/// The machine as libvirt has it, once that knows of every overlay that is written to, or has had
/// its time: a snapshot that it carries through for a process that was killed is QEMU's before it
/// is in the description, and nothing tells of its end.
Task<std::optional<DomainXml>> describe_settled(Parts& parts, const Session& session) {
  using namespace std::chrono_literals;
  const auto until = std::chrono::steady_clock::now() + 10s;
  boost::asio::steady_timer pause(parts.loop);
  for (;;) {
    auto describing = parts.hypervisor.describe(session.domain.value.str());
    auto domain = co_await std::move(describing);
    if (!domain || domain->live.empty()) co_return domain;
    auto looking = offload(parts.lanes.files, [&] {
      return std::ranges::any_of(session.disks, [&](const DiskOverlay& overlay) {
        return domain->live.find(overlay.path) == std::string::npos && is_in_use(overlay.path);
      });
    });
    const bool is_unsettled = co_await std::move(looking);
    if (!is_unsettled || std::chrono::steady_clock::now() >= until) co_return domain;
    pause.expires_after(200ms);
    co_await pause.async_wait(boost::asio::use_awaitable);
  }
}

}  // namespace

Task<void> leave_overlays(Parts& parts, Session session) {
  auto describing = describe_settled(parts, session);
  const auto domain = co_await std::move(describing);
  if (domain && !domain->live.empty()) {
    auto looking = offload(parts.lanes.files, [&] {
      for (const auto& overlay : session.disks) {
        if (domain->live.find(overlay.path) != std::string::npos) continue;
        if (is_in_use(overlay.path))
          throw kept(session, "it writes to an overlay that libvirt does not know of");
        if (!holds_data(overlay.path)) continue;
        // Its merge had come to its end, and only the file was still to be removed.
        if (!overlay.leaving)
          throw kept(session, "it runs on its own disks, which lack what is in the overlays");
        remove_merged(overlay.path);
      }
    });
    co_await std::move(looking);
    // An earlier process may have left one of these merges at work.
    auto aborting = parts.hypervisor.abort_block_jobs(session.domain);
    co_await std::move(aborting);
    // One by one, each file gone with its merge: when a later disk fails, the next attempt sees
    // what is left to do.
    for (auto& overlay : session.disks) {
      if (domain->live.find(overlay.path) == std::string::npos) continue;
      overlay.leaving = true;
      auto noting = note_phase(parts, session, Phase::packing);
      co_await std::move(noting);
      std::vector<std::string> target(1, overlay.target);
      auto merging = parts.hypervisor.merge_overlays(session.domain, std::move(target));
      co_await std::move(merging);
      auto removing = offload(parts.lanes.files, [&overlay] { remove_merged(overlay.path); });
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
  auto ending = end_if_alive(parts, session);
  co_await std::move(ending);
  auto finding = find_guest(parts, session);
  const auto left = co_await std::move(finding);
  if (left && left->has_saved_memory) {
    auto forgetting = parts.hypervisor.drop_saved(session.domain);
    co_await std::move(forgetting);
  }
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
