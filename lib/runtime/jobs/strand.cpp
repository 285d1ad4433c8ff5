#include "runtime/jobs/strand.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "hibernation/save_image.hpp"
#include "machine/description.hpp"
#include "ports/saved_already.hpp"
#include "runtime/chains.hpp"
#include "runtime/jobs/guest_clock.hpp"
#include "runtime/jobs/preflight.hpp"
#include "runtime/jobs/saved_memory.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

Task<Session> load(Parts& parts, CapsuleId capsule) {
  auto loading =
      offload(parts.lanes.files, [&parts, capsule] { return parts.shelf.find(capsule); });
  auto session = co_await std::move(loading);
  if (!session)
    throw Fault(
        Remedy::report_bug,
        Fault::Text{
            "find the session of capsule", capsule.value.str(), "its journal is missing", {}});
  co_return std::move(*session);
}

void make_durable(const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd || ::fsync(fd.get()) != 0) throw fault_from_errno(errno, "write out", file);
}

bool is_saved_already(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const SavedAlready&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// Of a guest that has not run since all of its memory was written: the save that was cut short
/// then is the session's image now, when it has all of it and no disk was written to afterwards.
/// Gives what speaks against that, as a clause.
std::string take_cut_short(const Parts& parts, const Session& session) {
  namespace fs = std::filesystem;
  const auto kept = cut_short_save(parts, session.capsule);
  if (!fs::exists(kept)) return "nothing of it was kept";
  if (!hibernation::is_whole_save(kept)) return "it lacks its end";
  const auto written = fs::last_write_time(kept);
  for (const auto& disk : session.disks)
    for (const auto& overlay : disk.overlays())
      if (fs::last_write_time(overlay) > written)
        return "disk " + disk.target + " was written to after it";
  hibernation::finish_save(kept);
  fs::rename(kept, *session.save_image);
  const UniqueFd directory(::open(kept.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    throw fault_from_errno(errno, "write out", kept.parent_path().string());
  return {};
}

/// Saves the guest into the session's directory; it is gone afterwards. libvirt completes it also
/// when the daemon is killed meanwhile, so the journal has to know of the image before.
Task<void> save_guest(Parts& parts, Session& session) {
  const auto image = saved_guest(parts, session.capsule).string();
  const auto phase = session.phase;
  // An older one under that name would pass for the save that is about to be made.
  auto removing = offload(parts.lanes.files, [&] {
    set_aside(parts, session);
    std::filesystem::remove(image);
  });
  co_await std::move(removing);
  session.save_image = image;
  auto noting = note_phase(parts, session, Phase::stranded);
  co_await std::move(noting);
  std::exception_ptr failure;
  try {
    auto saving = parts.hypervisor.save(session.domain, image);
    co_await std::move(saving);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    auto finding = find_guest(parts, session);
    const auto left = co_await std::move(finding);
    if (is_alive(left) && is_saved_already(failure)) {
      auto taking = offload(parts.lanes.files, [&] { return take_cut_short(parts, session); });
      const auto against = co_await std::move(taking);
      parts.log.warning(session.capsule_name +
                        ": an earlier save was cut short with all of its memory written; " +
                        (against.empty() ? "it counts" : "it can't be used: " + against));
      if (against.empty()) {
        auto ending = parts.hypervisor.destroy(session.domain);
        co_await std::move(ending);
        co_return;
      }
    }
    if (is_alive(left)) {
      session.save_image.reset();
      auto taking_back = note_phase(parts, session, phase);
      co_await std::move(taking_back);
    }
    std::rethrow_exception(failure);
  }
  auto syncing = offload(parts.lanes.files, [&] {
    make_durable(image);
    std::filesystem::remove(cut_short_save(parts, session.capsule));
  });
  co_await std::move(syncing);
}

struct Opened {
  format::CapsuleDirectory capsule;
  format::SignedHead head;
};

Opened open_base(const std::shared_ptr<Stick>& stick, Session& session) {
  auto capsule = format::CapsuleDirectory::open(stick->root()->get(), session.capsule);
  auto seen = capsule.examine();
  if (!seen.newest || !is_of_session(seen.newest->head, session))
    throw Fault(Remedy::choose,
                Fault::Text{"go on with",
                            session.capsule_name,
                            "the device does not hold the generation that it began with",
                            {}});
  follow(session, seen.newest->head);
  return Opened{std::move(capsule), std::move(*seen.newest)};
}

/// The description in a save image, with the chains as they are lent now: a merge that was under
/// way when the device went may have left it with files that lack what the device did not get.
std::string description_with(const std::vector<machine::SessionDisk>& disks,
                             const std::string& image) {
  UniqueFd file(::open(image.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) throw fault_from_errno(errno, "open", image);
  const auto saved = open_save_image(std::move(file), "go on from", image);
  return machine::with_chains(saved.xml, disks);
}

/// The journal forgets a save image before the guest may run, and knows it again where it does not.
Task<void> boot(Parts& parts, Session& session, std::string xml) {
  const auto image = std::exchange(session.save_image, std::nullopt);
  const auto phase = session.phase;
  if (image) {
    auto noting = note_phase(parts, session, Phase::waking);
    co_await std::move(noting);
  }
  std::exception_ptr failure;
  try {
    auto starting = parts.hypervisor.start(session.domain, std::move(xml));
    co_await std::move(starting);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  session.save_image = image;
  auto noting = note_phase(parts, session, phase);
  co_await std::move(noting);
  std::rethrow_exception(failure);
}

}  // namespace

Task<Session> strand(Parts& parts, CapsuleId capsule) {
  auto loading = load(parts, capsule);
  auto session = co_await std::move(loading);
  auto finding = find_guest(parts, session);
  const auto guest = co_await std::move(finding);
  if (is_alive(guest)) {
    auto saving = save_guest(parts, session);
    co_await std::move(saving);
  }
  co_return session;
}

Task<Session> reattach(Parts& parts, std::shared_ptr<Stick> stick, CapsuleId capsule,
                       machine::Start start, JobContext job) {
  auto stranding = strand(parts, capsule);
  auto session = co_await std::move(stranding);
  auto refusing = refuse_stranger(parts, session, "go on with");
  co_await std::move(refusing);
  job.meter->name("starting the machine");
  auto opening = offload(parts.lanes.files, [&] { return open_base(stick, session); });
  auto opened = co_await std::move(opening);
  const auto machine = machine::read_json(opened.head.head.machine_json);
  if (!machine)
    throw Fault(Remedy::other_device, Fault::Text{"read the machine description of",
                                                  session.capsule_name,
                                                  to_string(machine.error()),
                                                  {}});
  const auto from = session.save_image ? start : machine::Start::boot;
  auto clearing = preflight(parts, opened.head.head, *machine, from);
  const auto clearance = co_await std::move(clearing);
  auto lending = offload(parts.lanes.files, [&] {
    return lend_chains(opened.capsule, opened.head.head, session.disks);
  });
  auto chains = co_await std::move(lending);
  auto plan = session_plan(parts, session, chains.disks);
  plan.start = from;
  const auto xml = machine::write_domain(*machine, clearance.policy, plan);
  if (session.defined_by == DefinedBy::us) {
    auto defining = parts.hypervisor.define(xml);
    co_await std::move(defining);
  }
  auto giving = parts.hypervisor.lend(session.domain, std::move(chains.files));
  co_await std::move(giving);
  const auto image = session.save_image;
  if (from == machine::Start::resume) {
    auto describing = offload(parts.lanes.files,
                              [&] { return description_with(chains.disks, *session.save_image); });
    auto description = co_await std::move(describing);
    auto restoring =
        parts.hypervisor.restore(session.domain, *session.save_image, std::move(description));
    co_await std::move(restoring);
  } else {
    auto starting = boot(parts, session, xml);
    co_await std::move(starting);
  }
  session.save_image.reset();
  session.disk_sequence = stick->disk_sequence();
  // The journal forgets the image before the guest may run: old memory over newer disks would be
  // the end of both. While it can't be written the guest must not run.
  std::exception_ptr failure;
  try {
    auto noting =
        note_phase(parts, session, from == machine::Start::resume ? Phase::waking : Phase::running);
    co_await std::move(noting);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    auto ending = end_if_alive(parts, session);
    co_await std::move(ending);
    std::rethrow_exception(failure);
  }
  if (from == machine::Start::resume) {
    auto resuming = parts.hypervisor.resume(session.domain);
    co_await std::move(resuming);
    set_guest_clock(parts, session.domain, session.capsule_name);
    try {
      auto noting = note_phase(parts, session, Phase::running);
      co_await std::move(noting);
    } catch (const Fault& fault) {
      // It runs, and the next start would let it run as well.
      parts.log.warning(std::string(fault.what()) + "; the machine runs on");
    }
  }
  if (image) {
    auto removing = offload(parts.lanes.files, [&] {
      std::filesystem::remove(*image);
      std::filesystem::remove(cut_short_save(parts, session.capsule));
    });
    co_await std::move(removing);
  }
  co_return session;
}

}  // namespace satchel
