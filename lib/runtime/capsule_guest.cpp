// What libvirt tells of one capsule's guest while no job of ours is the cause, and a guest that
// could not be saved when its device went.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <string>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "machine/description.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/host_room.hpp"
#include "runtime/last_write.hpp"
#include "runtime/session_guest.hpp"
#include "runtime/upkeep.hpp"

namespace satchel {

namespace asio = boost::asio;

namespace {

bool is_in_memory(core::Guest guest) {
  return guest == core::Guest::runs || guest == core::Guest::paused || guest == core::Guest::halted;
}

/// While a job of ours is under way it is the cause of what the guest does, and looks at it itself
/// when it ends. A merge does nothing to the guest, nor does whoever only reads or releases its
/// device, and a checkpoint nothing that lasts.
bool leaves_guest_alone(const core::State& state) {
  const auto* ejecting = std::get_if<core::Ejecting>(&state);
  return std::holds_alternative<core::Tending>(state) ||
         std::holds_alternative<core::Checkpointing>(state) ||
         std::holds_alternative<core::Examining>(state) || (ejecting != nullptr && ejecting->apart);
}

/// Into the journal as it is by now: what a job has written there since is not to be undone.
Task<void> write_down_running(Parts& parts, CapsuleId capsule, SessionId session) {
  auto saving = offload(parts.lanes.files, [&] {
    parts.shelf.amend(capsule, session, [](Session& journal) {
      return std::exchange(journal.phase, Phase::running) == Phase::ejecting;
    });
  });
  co_await std::move(saving);
}

}  // namespace

bool CapsuleRunner::note_running() {
  if (!session_ || session_->phase != Phase::ejecting) return false;
  session_->phase = Phase::running;
  chore("note the guest", write_down_running(around_.parts, id_, session_->session));
  return true;
}

void CapsuleRunner::guest_changed(const GuestEvent& event) {
  if (core::job_of(state_) && !leaves_guest_alone(state_)) return;
  // What could not be done beside this guest may be possible now.
  std::erase_if(tended_, [](const auto& tried) { return tried.second != never_again; });
  const auto* known = core::session_of(state_);
  const bool ended = event.what == GuestEvent::What::stopped_by_guest ||
                     event.what == GuestEvent::What::stopped_by_host ||
                     event.what == GuestEvent::What::crashed;
  // What begins to live under its identity may be another machine.
  if (known != nullptr && session_ && !is_in_memory(known->guest)) {
    if (!ended) asio::co_spawn(around_.parts.loop, look_at_newcomer(), asio::detached);
    return;
  }
  switch (event.what) {
    case GuestEvent::What::started:
    case GuestEvent::What::resumed:
      note_running();
      return deliver(core::GuestResumed{});
    case GuestEvent::What::stopped_by_guest:
      return guest_ended(core::GuestEnd::by_itself);
    case GuestEvent::What::stopped_by_host:
      return guest_ended(core::GuestEnd::by_host);
    case GuestEvent::What::crashed:
      return guest_ended(core::GuestEnd::crashed);
    case GuestEvent::What::paused:
      return deliver(core::GuestPaused{core::GuestPause::by_somebody});
    case GuestEvent::What::paused_by_io_error:
      return deliver(core::GuestPaused{core::GuestPause::by_error});
  }
}

Task<void> CapsuleRunner::look_at_guest() {
  const auto self = shared_from_this();
  if (!session_) co_return;
  const auto session = session_->session;
  auto finding = find_guest(around_.parts, *session_);
  const auto guest = co_await std::move(finding);
  if (session_ && session_->session == session) guest_found(guest);
}

std::optional<Session> CapsuleRunner::unclaimed() const {
  const bool is_at_work = core::job_of(state_) && !std::holds_alternative<core::Examining>(state_);
  if (is_at_work || core::session_of(state_) != nullptr) return std::nullopt;
  return session_;
}

void CapsuleRunner::leave_unclaimed(Session session) {
  name_ = session.capsule_name;
  session_ = std::move(session);
  unasked_ = true;
}

void CapsuleRunner::hypervisor_back() {
  if (core::job_of(state_)) return;
  const bool again = std::exchange(launch_again_, false);
  if (uncleared_) chore("clear away the session", clear_away());
  if (!again || !std::holds_alternative<core::Ready>(state_) ||
      policy().on_insert != core::OnInsert::resume)
    return;
  core::LaunchAsked launch;
  launch.by = core::Requester::policy;
  deliver(launch);
}

Task<void> CapsuleRunner::look_at_newcomer() {
  const auto self = shared_from_this();
  try {
    auto looking = look_at_guest();
    co_await std::move(looking);
  } catch (const std::exception& failure) {
    around_.parts.log.warning(std::string(failure.what()) + "; the guest is taken to be as it was");
  }
}

void CapsuleRunner::guest_found(const std::optional<DomainEntry>& guest) {
  if (core::job_of(state_) &&
      (!leaves_guest_alone(state_) || std::holds_alternative<core::Checkpointing>(state_)))
    return;
  // Taken to be saved or off when libvirt could not be asked: it is in memory alone.
  const auto* stranded = std::get_if<core::Stranded>(&state_);
  if (stranded != nullptr && is_alive(guest) && !is_in_memory(stranded->session.guest))
    return deliver(core::SaveDue{core::SaveDue::Guest::found_alive});
  switch (guest ? guest->state : GuestState::shut_off) {
    case GuestState::running:
      note_running();
      return deliver(core::GuestResumed{});
    case GuestState::paused:
      return deliver(core::GuestPaused{core::GuestPause::by_somebody});
    case GuestState::paused_by_io_error:
      return deliver(core::GuestPaused{core::GuestPause::by_error});
    case GuestState::shut_off:
      return guest_ended(core::GuestEnd::by_itself);
    case GuestState::crashed:
      return guest_ended(core::GuestEnd::crashed);
  }
}

void CapsuleRunner::guest_ended(core::GuestEnd how) {
  // It is not off: a save that was lost sight of has come to its end.
  if (session_ && session_->save_image && std::holds_alternative<core::Stranded>(state_))
    return deliver(core::SaveDue{});
  if (!session_ || session_->phase != Phase::ejecting) return deliver(core::GuestStopped{how});
  asio::co_spawn(around_.parts.loop, look_behind_eject(how), asio::detached);
}

Task<bool> CapsuleRunner::is_saved(Session session) const {
  try {
    auto finding = find_guest(around_.parts, session);
    const auto guest = co_await std::move(finding);
    co_return guest && guest->has_saved_memory;
  } catch (const Fault& failure) {
    around_.parts.log.warning(std::string(failure.what()) + "; " + name_ +
                              " is taken for one that ran on");
  }
  co_return true;
}

Task<void> CapsuleRunner::look_behind_eject(core::GuestEnd how) {
  const auto self = shared_from_this();
  auto& parts = around_.parts;
  const auto session = *session_;
  auto asking = is_saved(session);
  const bool saved = co_await std::move(asking);
  auto looking =
      offload(parts.lanes.files, [&] { return saved || has_written_since_commit(session); });
  const bool ran_on = co_await std::move(looking);
  // Somebody else may have found out meanwhile, and the session have gone.
  if (!session_ || session_->session != session.session) co_return;
  if (ran_on && note_running()) {
    parts.log.warning(name_ + ": its guest ran on after it was ejected, and has ended since");
    deliver(core::GuestResumed{});
  }
  deliver(core::GuestStopped{how});
}

namespace {

constexpr std::chrono::steady_clock::duration longest_pause = std::chrono::minutes(15);

/// Stranded, and in memory alone.
bool is_held_in_memory(const core::State& state) {
  const auto* at = std::get_if<core::Stranded>(&state);
  return at != nullptr && is_in_memory(at->session.guest);
}

}  // namespace

void CapsuleRunner::watch_memory() {
  if (watching_memory_ || !is_held_in_memory(state_)) return;
  watching_memory_ = true;
  asio::co_spawn(around_.parts.loop, save_when_possible(), asio::detached);
}

Task<void> CapsuleRunner::save_when_possible() {
  const auto self = shared_from_this();
  auto& parts = around_.parts;
  asio::steady_timer beat(parts.loop);
  std::chrono::steady_clock::duration pause = parts.pause_before_retry;
  while (is_held_in_memory(state_)) {
    beat.expires_after(pause);
    boost::system::error_code woken;
    co_await beat.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    if (woken) break;
    if (!is_held_in_memory(state_) || core::job_of(state_)) continue;
    try {
      auto looking = room_for_memory();
      if (!co_await std::move(looking)) continue;
    } catch (const Fault& failure) {
      parts.log.debug(std::string(failure.what()) + "; saving " + name_ + " all the same");
    }
    pause = std::min(2 * pause, longest_pause);
    deliver(core::SaveDue{});
  }
  watching_memory_ = false;
}

Task<bool> CapsuleRunner::room_for_memory() const {
  ByteCount needed;  // not known before the device's first examination
  if (head_)
    if (const auto machine = machine::read_json(head_->head.machine_json))
      needed = machine::memory(*machine);
  auto measuring = offload(around_.parts.lanes.files,
                           [where = around_.parts.state_directory] { return free_space(where); });
  const auto free = co_await std::move(measuring);
  co_return free >= needed;
}

}  // namespace satchel
