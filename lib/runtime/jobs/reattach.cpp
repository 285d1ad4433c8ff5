#include "runtime/jobs/reattach.hpp"

#include <fcntl.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "base/host_fault.hpp"
#include "machine/description.hpp"
#include "runtime/chains.hpp"
#include "runtime/jobs/below.hpp"
#include "runtime/jobs/guest_clock.hpp"
#include "runtime/jobs/preflight.hpp"
#include "runtime/jobs/saved_memory.hpp"
#include "runtime/jobs/strand.hpp"
#include "runtime/last_write.hpp"
#include "runtime/sessions.hpp"
#include "runtime/undo.hpp"

namespace satchel {

namespace {

/// Files lane; may bring the session up to date with what it finds, and throws Fault.
using OpenBelow = std::function<Below(Session&)>;

Below open_on(const Parts& parts, const std::shared_ptr<Stick>& stick, Session& session,
              const JobContext& job) {
  auto below = below_on(*stick, session, "go on with");
  if (!is_of_session(below.head, session))
    throw Fault(Remedy::choose,
                Fault::Text{"go on with",
                            session.capsule_name,
                            "the device does not hold the generation that it began with",
                            {}});
  follow(session, below.head);
  compare_below(parts, below, session, DiskUse::by_guest, job);
  // It is there: copies of its disks need not be.
  parts.disks->give_way(mebibytes(256), session.capsule);
  session.on_copies = false;
  session.disk_sequence = stick->disk_sequence();
  return below;
}

Below open_kept(const Parts& parts, Session& session, const JobContext& job) {
  auto below = below_on_copies(parts, session, "go on without the device with", job);
  session.on_copies = true;
  session.disk_sequence = 0;
  return below;
}

/// The description in a save image, with the chains as they are lent now: a merge that was under
/// way when the device went may have left it with files that lack what the device did not get.
std::string description_with(const std::vector<machine::SessionDisk>& disks,
                             const std::string& image) {
  UniqueFd file(::open(image.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) throw host_fault_from_errno(errno, "open", image);
  const auto saved = open_save_image(std::move(file), "go on from", image);
  return machine::with_chains(saved.xml, disks);
}

/// The journal forgets a save image before the guest may run, and knows it again where it does not.
Task<void> boot(Parts& parts, Session& session, std::string xml) {
  const auto image = std::exchange(session.save_image, std::nullopt);
  const auto phase = session.phase;
  // Which files a guest has is written down before there is one.
  auto noting = note_phase(parts, session, image ? Phase::waking : phase);
  co_await std::move(noting);
  std::exception_ptr failure;
  try {
    auto starting = parts.hypervisor.start(session.domain, std::move(xml));
    co_await std::move(starting);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    // It may run all the same, where libvirt went away within its start. What was saved is all of
    // it only where it does not, and has written nothing; else the next start of the daemon sees
    // what has become of it.
    auto ending = end_if_alive(parts, session);
    co_await std::move(ending);
    auto looking =
        offload(parts.lanes.files, [&] { return image && has_written_since(session, *image); });
    if (!co_await std::move(looking)) {
      session.save_image = image;
      auto taking_back = note_phase(parts, session, phase);
      co_await std::move(taking_back);
    }
    std::rethrow_exception(failure);
  }
  try {
    auto telling = note_phase(parts, session, Phase::running);
    co_await std::move(telling);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  auto ending = end_if_alive(parts, session);
  co_await std::move(ending);
  std::rethrow_exception(failure);
}

/// Of a guest that was restored, and which the journal says to be waking.
Task<void> let_run(Parts& parts, Session& session) {
  auto resuming = parts.hypervisor.resume(session.domain);
  co_await std::move(resuming);
  set_guest_clock(parts, session.domain, session.capsule_name);
  try {
    auto telling = note_phase(parts, session, Phase::running);
    co_await std::move(telling);
  } catch (const Fault& fault) {
    // It runs, and the next start would let it run as well.
    parts.log.warning(std::string(fault.what()) + "; the machine runs on");
  }
}

/// Restores the guest and lets it run. The journal forgets the image before the guest may run: old
/// memory over newer disks would be the end of both. While it can't be written the guest must not
/// run, nor when libvirt went away within its restore.
Task<void> resume(Parts& parts, Session& session, const std::vector<machine::SessionDisk>& disks) {
  const auto image = *session.save_image;
  const auto phase = session.phase;
  auto noting = note_phase(parts, session, Phase::waking);
  co_await std::move(noting);
  std::exception_ptr failure;
  try {
    auto describing = offload(parts.lanes.files, [&] { return description_with(disks, image); });
    auto description = co_await std::move(describing);
    auto restoring = parts.hypervisor.restore(session.domain, image, std::move(description));
    co_await std::move(restoring);
    session.save_image.reset();
    auto forgetting = note_phase(parts, session, Phase::waking);
    co_await std::move(forgetting);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    auto ending = end_if_alive(parts, session);
    co_await std::move(ending);
    // It has not run: what is saved is still all of it.
    session.save_image = image;
    auto taking_back = note_phase(parts, session, phase);
    co_await std::move(taking_back);
    std::rethrow_exception(failure);
  }
  auto letting = let_run(parts, session);
  co_await std::move(letting);
}

[[noreturn]] void rethrow_with_way_out(const std::exception_ptr& failure,
                                       const std::string& domain) {
  try {
    std::rethrow_exception(failure);
  } catch (const Fault& fault) {
    auto text = fault.text();
    if (text.next.empty())
      text.next =
          "Launch it again, or give the memory up that libvirt keeps of it: virsh "
          "managedsave-remove " +
          domain;
    throw Fault(fault.remedy(), std::move(text));
  }
}

/// The same from the memory that libvirt keeps itself. That is gone with the restore: a guest that
/// is alive is all that there is of it then, and is never ended.
Task<void> resume_saved(Parts& parts, Session& session,
                        const std::vector<machine::SessionDisk>& disks) {
  const auto image = std::exchange(session.save_image, std::nullopt);
  const auto phase = session.phase;
  auto reading = parts.hypervisor.saved_description(session.domain);
  const auto saved = co_await std::move(reading);
  auto noting = note_phase(parts, session, Phase::waking);
  co_await std::move(noting);
  std::exception_ptr failure;
  try {
    auto restoring =
        parts.hypervisor.restore_saved(session.domain, machine::with_chains(saved, disks));
    co_await std::move(restoring);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    auto finding = find_guest(parts, session);
    const auto left = co_await std::move(finding);
    if (!is_alive(left)) {
      session.save_image = image;
      auto taking_back = note_phase(parts, session, phase);
      co_await std::move(taking_back);
    }
    rethrow_with_way_out(failure, session.domain_name);
  }
  auto letting = let_run(parts, session);
  co_await std::move(letting);
}

Task<void> wake(Parts& parts, Session& session, LentChains chains, machine::Start from,
                std::string xml) {
  auto finding = find_guest(parts, session);
  const auto before = co_await std::move(finding);
  auto giving = parts.hypervisor.lend(session.domain, std::move(chains.files));
  co_await std::move(giving);
  if (before && before->has_saved_memory) {
    auto resuming = resume_saved(parts, session, chains.disks);
    co_await std::move(resuming);
    co_return;
  }
  if (from == machine::Start::resume) {
    auto resuming = resume(parts, session, chains.disks);
    co_await std::move(resuming);
    co_return;
  }
  auto starting = boot(parts, session, std::move(xml));
  co_await std::move(starting);
}

Task<Session> go_on(Parts& parts, CapsuleId capsule, machine::Start start, JobContext job,
                    OpenBelow open) {
  auto stranding = strand(parts, capsule);
  auto session = co_await std::move(stranding);
  auto refusing = refuse_stranger(parts, session, "go on with");
  co_await std::move(refusing);
  auto opening = offload(parts.lanes.files, [&] { return open(session); });
  const auto below = co_await std::move(opening);
  job.meter->name("starting the machine");
  const auto machine = machine::read_json(below.head.machine_json);
  if (!machine)
    throw Fault(Remedy::other_device, Fault::Text{"read the machine description of",
                                                  session.capsule_name,
                                                  to_string(machine.error()),
                                                  {}});
  const auto from = session.save_image ? start : machine::Start::boot;
  auto clearing = preflight(parts, below.head, *machine, from);
  const auto clearance = co_await std::move(clearing);
  auto lending = offload(parts.lanes.files,
                         [&] { return lend_chains(below.open, below.head, session.disks); });
  auto chains = co_await std::move(lending);
  auto plan = session_plan(parts, session, chains.disks);
  plan.start = from;
  const auto xml = machine::write_domain(*machine, clearance.policy, plan);
  if (session.defined_by == DefinedBy::us) {
    auto defining = parts.hypervisor.define(xml);
    co_await std::move(defining);
  }
  const auto image = session.save_image;
  Undo undo;
  undo.note("take the device's files back from libvirt",
            [&parts, domain = session.domain, groups = groups_of(chains.files)] {
              return take_back(parts.hypervisor, domain, groups);
            });
  auto waking = or_undo(undo, parts.log, wake(parts, session, std::move(chains), from, xml));
  co_await std::move(waking);
  if (image) {
    auto removing = offload(parts.lanes.files, [&] {
      std::filesystem::remove(*image);
      std::filesystem::remove(cut_short_save(parts, session.capsule));
    });
    co_await std::move(removing);
  }
  co_return session;
}

}  // namespace

Task<Session> reattach(Parts& parts, std::shared_ptr<Stick> stick, CapsuleId capsule,
                       machine::Start start, JobContext job) {
  auto going_on = go_on(parts, capsule, start, job, [&parts, stick, job](Session& session) {
    return open_on(parts, stick, session, job);
  });
  co_return co_await std::move(going_on);
}

Task<Session> go_on_detached(Parts& parts, CapsuleId capsule, machine::Start start,
                             JobContext job) {
  auto going_on = go_on(parts, capsule, start, job,
                        [&parts, job](Session& session) { return open_kept(parts, session, job); });
  co_return co_await std::move(going_on);
}

}  // namespace satchel
