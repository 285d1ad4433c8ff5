// What a former daemon left: the sessions in the journal, and what libvirt made of their guests.
#include <exception>
#include <utility>

#include "base/fault.hpp"
#include "hibernation/save_image.hpp"
#include "runtime/host.hpp"
#include "runtime/jobs/strand.hpp"
#include "runtime/last_write.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

/// Whether the journal tells of a step that the guest, which is alive, has left behind it, or that
/// has to be done for it.
bool is_within_job(const Session& session, const DomainEntry& guest) {
  switch (session.phase) {
    case Phase::ejecting:
    case Phase::waking:
      return true;
    case Phase::launching:
      return guest.state == GuestState::running;
    case Phase::packing:
    case Phase::running:
    case Phase::stranded:
      return false;
  }
  return false;
}

}  // namespace

Task<std::optional<DomainEntry>> Host::after_save(DomainEntry guest, GuestWas before) {
  const bool stands_still =
      guest.state == GuestState::paused || guest.state == GuestState::paused_by_io_error;
  // A libvirt that has just been started says of a guest that its save had stopped that it runs,
  // until it has asked QEMU, and has whoever wants to change it wait for that.
  if (!stands_still && before != GuestWas::running) co_return guest;
  std::optional<Fault> refused;
  try {
    auto changing = before == GuestWas::running ? parts_.hypervisor.resume(guest.id)
                                                : parts_.hypervisor.pause(guest.id);
    co_await std::move(changing);
  } catch (const Fault& failure) {
    refused = failure;
  }
  // Refused also where libvirt was faster: it resumes the guest of a broken save itself.
  auto finding = parts_.hypervisor.find(guest.id);
  auto now = co_await std::move(finding);
  if (refused && now && now->state == GuestState::paused && before == GuestWas::running)
    parts_.log.warning(std::string(refused->what()) + "; the guest stays paused");
  co_return now;
}

Task<std::optional<DomainEntry>> Host::take_up(Session& session, DomainEntry guest) {
  const bool ran = session.phase == Phase::waking ||
                   (session.phase == Phase::ejecting && session.guest_was == GuestWas::running);
  auto waiting = after_save(std::move(guest), ran ? GuestWas::running : GuestWas::paused);
  auto now = co_await std::move(waiting);
  // Only of one that lives is it true that there is more than was saved.
  if (!is_alive(now)) co_return now;
  // Also one of a guest that is said to run: libvirt may not have asked QEMU yet, or be about to
  // let go of one whose save it carries through. Whether the image counts is seen at the next save.
  if (session.save_image) {
    auto keeping = offload(parts_.lanes.files, [&] { set_aside(parts_, session); });
    co_await std::move(keeping);
  }
  session.save_image.reset();
  auto noting = note_phase(parts_, session, Phase::running);
  co_await std::move(noting);
  co_return now;
}

Task<void> Host::look_behind_eject(Session& session, bool is_saved) {
  auto looking = offload(parts_.lanes.files, [&session, is_saved] {
    return is_saved || has_written_since_commit(session);
  });
  if (!co_await std::move(looking)) co_return;
  parts_.log.warning(session.capsule_name +
                     ": its guest ran on after it was ejected, and has ended since; what it wrote "
                     "is on this computer");
  auto noting = note_phase(parts_, session, Phase::running);
  co_await std::move(noting);
}

Task<void> Host::look_behind_waking(Session& session) {
  enum class Left { saved, written, nothing };
  auto looking = offload(parts_.lanes.files, [this, &session] {
    const auto image = saved_guest(parts_, session.capsule);
    const bool has_any = has_written(session);
    if (hibernation::is_finished_save(image) &&
        (!has_any || !has_written_since(session, image, Written::overlays)))
      return Left::saved;
    return has_any ? Left::written : Left::nothing;
  });
  const auto left = co_await std::move(looking);
  switch (left) {
    case Left::saved: {
      session.save_image = saved_guest(parts_, session.capsule).string();
      auto noting = note_phase(parts_, session, Phase::stranded);
      co_await std::move(noting);
      break;
    }
    case Left::nothing:
      // What it was woken from is still all that there is of it.
      session.phase = Phase::launching;
      break;
    case Left::written:
      if (!session.save_image) break;
      // It has run since it was restored from there.
      session.save_image.reset();
      auto noting = note_phase(parts_, session, Phase::running);
      co_await std::move(noting);
      break;
  }
}

Task<void> Host::check_save_image(Session& session) {
  auto looking = offload(parts_.lanes.files, [&] {
    if (hibernation::is_finished_save(*session.save_image)) return true;
    try {
      // The power may have failed within a second save, of a guest that had not run since the
      // first.
      return take_cut_short(parts_, session).empty();
    } catch (const std::exception& failure) {
      parts_.log.warning(session.capsule_name + ": " + failure.what());
    }
    return false;
  });
  if (co_await std::move(looking)) co_return;
  parts_.log.error(session.capsule_name +
                   ": its memory was not written whole to this computer before its guest ended; it "
                   "boots from its disks");
  session.save_image.reset();
  auto noting = offload(parts_.lanes.files, [&] { parts_.shelf.save(session); });
  co_await std::move(noting);
}

Task<void> Host::undo_pack(const Session& session) {
  parts_.log.warning("packing " + session.capsule_name +
                     " was interrupted; the machine goes back to its own disks");
  try {
    auto leaving = leave_overlays(parts_, session);
    co_await std::move(leaving);
  } catch (const Fault& failure) {
    parts_.log.error(std::string(failure.what()) +
                     "; its overlays are kept, and it is tried again at the next start. " +
                     failure.next_step());
  }
}

Task<Host::FoundSession> Host::take_up_session(Session& session) {
  auto finding = find_guest(parts_, session);
  auto guest = co_await std::move(finding);
  // Alive all the same: the daemon was killed within the job that would have written this down.
  if (is_alive(guest) && (session.save_image || is_within_job(session, *guest))) {
    auto taking_up = take_up(session, std::move(*guest));
    guest = co_await std::move(taking_up);
  }
  if (session.phase == Phase::ejecting && !is_alive(guest)) {
    auto looking = look_behind_eject(session, guest && guest->has_saved_memory);
    co_await std::move(looking);
  }
  if (session.phase == Phase::waking && guest && guest->has_saved_memory) {
    // Its restore has not begun: what libvirt keeps is still all of it.
    auto noting = note_phase(parts_, session, Phase::running);
    co_await std::move(noting);
  }
  if (session.phase == Phase::waking && !is_alive(guest)) {
    auto looking = look_behind_waking(session);
    co_await std::move(looking);
  }
  if (session.save_image && !is_alive(guest)) {
    auto checking = check_save_image(session);
    co_await std::move(checking);
  }
  parts_.log.info(session.capsule_name + " has a session here" +
                  (is_alive(guest) ? ", and its guest runs" : ""));
  FoundSession found{session, std::move(guest)};
  co_return found;
}

Task<void> Host::clear_leftovers(std::vector<CapsuleId> leftovers) {
  for (const auto& capsule : leftovers) {
    const auto place = parts_.shelf.directory(capsule).string();
    auto removing = offload(parts_.lanes.files, [&] { parts_.shelf.remove(capsule); });
    try {
      co_await std::move(removing);
      parts_.log.info("removed " + place + ", the rest of a session that had ended");
    } catch (const Fault& failure) {
      parts_.log.warning(std::string(failure.what()) + "; it is tried again at the next start");
    }
  }
}

Task<std::vector<Host::FoundSession>> Host::take_up_sessions() {
  std::vector<FoundSession> found;
  auto loading = offload(parts_.lanes.files, [this] { return parts_.shelf.all(); });
  auto shelf = co_await std::move(loading);
  for (const auto& problem : shelf.unreadable)
    parts_.log.error(problem.where + ": " + problem.what +
                     "; left as it is, for a person to look at");
  auto clearing = clear_leftovers(std::move(shelf.leftovers));
  co_await std::move(clearing);
  for (auto& session : shelf.sessions) {
    if (session.phase == Phase::packing) {
      auto undoing = undo_pack(session);
      co_await std::move(undoing);
      continue;
    }
    std::optional<Fault> failure;
    try {
      auto taking_up = take_up_session(session);
      auto taken = co_await std::move(taking_up);
      found.push_back(std::move(taken));
    } catch (const Fault& fault) {
      // A full disk, say: the others are served, and this one as far as it is known.
      failure = fault;
    }
    if (!failure) continue;
    parts_.log.error(session.capsule_name + ": " + failure->what() + ". " + failure->next_step());
    failure.reset();
    try {
      auto finding = find_guest(parts_, session);
      auto guest = co_await std::move(finding);
      found.push_back(FoundSession{session, std::move(guest)});
    } catch (const Fault& fault) {
      failure = fault;
    }
    if (!failure) continue;
    parts_.log.error(session.capsule_name + ": " + failure->what() +
                     "; what became of it is asked again when libvirt is back or its device comes");
    found.push_back(FoundSession{session, std::nullopt, false});
  }
  co_return found;
}

}  // namespace satchel
