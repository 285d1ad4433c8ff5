// How a job of one capsule is carried through: from its work to the event by which it ended.
#include <exception>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/messages.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

std::string sentence(std::string what) {
  if (!what.ends_with('.')) what += '.';
  return what;
}

Fault pulled(const std::string& name) {
  return Fault(Remedy::replug,
               Fault::Text{"finish the work on", name, "its device was pulled out",
                           "Nothing is lost: plug the same device in again to go on."});
}

/// Why an examination that came to its end found nothing to use.
std::optional<Fault> reason_of(const core::Event& event) {
  const auto* examined = std::get_if<core::Examined>(&event);
  if (examined == nullptr) return std::nullopt;
  const auto* reason = std::get_if<core::Reason>(&examined->verdict);
  if (reason == nullptr) return std::nullopt;
  return Fault(Remedy::other_device,
               Fault::Text{"read", "the machine on the device", reason->what, reason->next});
}

}  // namespace

Task<void> CapsuleRunner::carry_out(JobContext job, Work work) {
  const auto self = shared_from_this();
  auto conducting = conduct(std::move(job), std::move(work));
  co_await std::move(conducting);
  if (unclaimed()) around_.session_left();
  // It may be back since that was asked.
  if (!launch_again_) co_return;
  auto asking = is_hypervisor_away();
  const bool is_away = co_await std::move(asking);
  if (!is_away) hypervisor_back();
}

Task<void> CapsuleRunner::conduct(JobContext job, Work work) {
  const auto device = core::device_of(state_);
  if (chore_) {
    auto waiting = chore_->settled();
    co_await std::move(waiting);
  }
  std::optional<core::Event> event;
  std::optional<Fault> fault;
  try {
    auto working = work(job);
    event = co_await std::move(working);
  } catch (const Fault& failure) {
    fault = failure;
  } catch (const std::exception& failure) {
    fault = Fault(Remedy::report_bug, Fault::Text{"finish", "the job", failure.what(), {}});
  }
  if (!fault) {
    const auto unreadable = reason_of(*event);
    const auto* examining = std::get_if<core::Examining>(&state_);
    const auto wanted = examining ? examining->wanted : std::nullopt;
    const auto* detached = std::get_if<core::Detached>(&state_);
    const bool more_wanted = wanted || (examining && examining->work.removal.has_value()) ||
                             (detached && detached->leaving.has_value());
    deliver(std::move(*event));
    if (const auto now = core::device_of(state_)) around_.devices.look_at_space(*now);
    if (unreadable) {
      around_.board.end_failed(job.id, *unreadable);
    } else if (const auto next = core::job_of(state_); more_wanted && next && *next != job.id) {
      // Who asked for the launch or the eject was given this job: it ends as that does.
      auto following = end_of_chain(job.id, *next);
      const auto end = co_await std::move(following);
      around_.board.end_like(job.id, end);
    } else if (wanted && std::holds_alternative<core::Ready>(state_)) {
      const auto why = core::refusal(state_, *wanted);
      around_.board.end_failed(
          job.id, Fault(Remedy::fix_request, Fault::Text{"launch", name_, why.what, why.next}));
    } else {
      around_.board.end_done(job.id);
    }
    co_return;
  }
  // Where the device turned out to be lost, that is what counts.
  if (auto reason = around_.board.given_up(job.id); reason && fault->remedy() != Remedy::replug) {
    around_.parts.log.debug(fault->what());
    fault = std::move(reason);
  }
  auto settling = failed(job, *fault);
  auto ended = co_await std::move(settling);
  const bool cancelled =
      std::holds_alternative<core::Cancelled>(std::get<core::JobEnded>(ended).outcome);
  deliver(std::move(ended));
  // Cancelled by the state machine, or faster to fail by itself: the device being gone is the
  // reason.
  const bool is_gone = device && !around_.devices.stick(*device);
  if (is_gone && (cancelled || fault->remedy() == Remedy::replug))
    around_.board.end_failed(job.id, pulled(name_));
  else if (cancelled)
    around_.board.end_cancelled(job.id);
  else
    around_.board.end_failed(job.id, *fault);
}

Task<core::Event> CapsuleRunner::failed(JobContext job, const Fault& fault) {
  std::optional<core::Session> session;
  bool is_unborn = false;
  try {
    auto reloading =
        offload(around_.parts.lanes.files, [this] { return around_.parts.shelf.find(id_); });
    session_ = co_await std::move(reloading);
    if (session_) {
      auto asking = core_session_now(around_.parts, *session_);
      session = co_await std::move(asking);
    }
  } catch (const std::exception& second) {
    // libvirt can't be asked: what the state machine last knew is the best there is.
    around_.parts.log.warning(std::string(second.what()) + "; keeping the session as it was known");
    if (const auto* known = core::session_of(state_)) {
      session = session_ ? core_session(*session_, std::nullopt) : *known;
      session->guest = known->guest;
    } else {
      is_unborn = session_ && session_->phase == Phase::launching;
    }
  }
  if (keeps_) {
    // It may have made way for the memory.
    auto looking_here = look_at_kept();
    co_await std::move(looking_here);
  }
  if (is_unborn) {
    auto forgetting = forget_unborn();
    co_await std::move(forgetting);
  }
  if (session_ && core::session_of(state_) == nullptr) {
    const bool is_dropped = uncleared_ && uncleared_->session == session_->session;
    // What became of a guest that was about to be let run is for take_up_session() to find out.
    if (is_dropped || session_->phase == Phase::waking) session.reset();
    if (is_dropped) session_.reset();
  }
  if (std::holds_alternative<core::Launching>(state_) && fault.remedy() == Remedy::retry &&
      !around_.board.was_cancelled(job.id)) {
    auto asking = is_hypervisor_away();
    launch_again_ = co_await std::move(asking);
  }
  auto looking = look_again();
  auto found = co_await std::move(looking);
  // What was cancelled had somebody in a hurry, who lets go of the device maybe: its beginning,
  // which is committed, makes it no other work to be tried at once.
  if (const auto* tending = std::get_if<core::Tending>(&state_); tending != nullptr && head_) {
    auto& tried = tended_[tending->what];
    tried = std::max(tried, head_->head.generation.seq);  // never_again stays
  }
  if (found) {
    auto following = follow_device();
    co_await std::move(following);
    if (session && session_) session->base = session_->base;
    // The session is here, if unknown to the state: its mark is not one that is to be taken over.
    if (!session && session_ && found->checked_out &&
        found->checked_out->session == session_->session)
      found->checked_out.reset();
  }
  if (around_.board.was_cancelled(job.id)) {
    core::Cancelled cancelled{session, std::move(found)};
    co_return core::JobEnded{job.id, std::move(cancelled)};
  }
  around_.parts.log.write(failure_line(id_, name_, fault));
  const auto insertion = core::device_of(state_);
  const bool there = insertion && around_.devices.stick(*insertion) != nullptr;
  core::JobFailed outcome;
  outcome.reason = core::Reason{sentence(fault.what()), fault.next_step()};
  outcome.session = session;
  outcome.found = std::move(found);
  outcome.device = there && fault.remedy() != Remedy::replug ? core::DeviceHealth::works
                                                             : core::DeviceHealth::lost;
  co_return core::JobEnded{job.id, std::move(outcome)};
}

Task<void> CapsuleRunner::forget_unborn() {
  auto& parts = around_.parts;
  uncleared_ = std::exchange(session_, std::nullopt);
  try {
    auto noting = offload(parts.lanes.files, [&parts, gone = *uncleared_] {
      remember_unrun(parts, gone.capsule, gone.session);
    });
    co_await std::move(noting);
  } catch (const Fault& failure) {
    parts.log.warning(std::string(failure.what()) + "; " + name_ +
                      " will be said to be checked out by a session that never ran");
  }
}

Task<bool> CapsuleRunner::is_hypervisor_away() const {
  try {
    auto asking = around_.parts.hypervisor.domains();
    co_await std::move(asking);
  } catch (const Fault&) {
    co_return true;
  }
  co_return false;
}

Task<std::optional<core::Found>> CapsuleRunner::look_again() {
  const auto insertion = core::device_of(state_);
  const auto held = insertion ? around_.devices.stick(*insertion) : nullptr;
  // Before its first examination it is not known here what the device holds.
  if (!held || !held->is_open() || !head_) co_return std::nullopt;
  try {
    auto examining = offload(around_.parts.lanes.files, [this, held, id = id_] {
      auto found = format::CapsuleDirectory::open(held->root()->get(), id).examine();
      if (found.newest) overlook_unrun(around_.parts, id, found.newest->head);
      return found;
    });
    auto seen = co_await std::move(examining);
    if (!seen.newest) co_return std::nullopt;
    head_ = std::move(*seen.newest);
    damaged_ = seen.damaged;
  } catch (const Fault&) {
    // The device can't be read: whatever job comes next will say so.
    co_return std::nullopt;
  }
  co_return found_in(*head_);
}

Task<void> CapsuleRunner::follow_device() {
  if (!session_ || !head_) co_return;
  auto followed = *session_;
  follow(followed, head_->head);
  if (followed == *session_) co_return;
  try {
    auto saving = offload(around_.parts.lanes.files, [&] { around_.parts.shelf.save(followed); });
    co_await std::move(saving);
    session_ = std::move(followed);
  } catch (const Fault& failure) {
    around_.parts.log.warning(std::string(failure.what()) + "; it is done with the next job");
  }
}

}  // namespace satchel
