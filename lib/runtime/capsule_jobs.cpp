// The jobs of one capsule as the runner begins them: each gives the event by which it ended.
#include <exception>
#include <optional>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "machine/description.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/check_in.hpp"
#include "runtime/jobs/check_out.hpp"
#include "runtime/jobs/launch.hpp"
#include "runtime/jobs/open_session.hpp"
#include "runtime/jobs/reattach.hpp"
#include "runtime/jobs/strand.hpp"
#include "runtime/known_hosts.hpp"
#include "runtime/messages.hpp"
#include "runtime/sessions.hpp"
#include "runtime/upkeep.hpp"

namespace satchel {

namespace {

core::Event ended(JobId job, std::optional<core::Found> found, std::optional<core::Session> session,
                  core::DeviceUse use) {
  core::Done done;
  done.found = std::move(found);
  done.session = std::move(session);
  done.device = use;
  return core::JobEnded{job, std::move(done)};
}

/// 0: its description can't be read.
ByteCount memory_of(const format::Head& head) {
  const auto machine = machine::read_json(head.machine_json);
  return machine ? machine::memory(*machine) : ByteCount();
}

core::Reason unreadable(const format::Examination& seen, CapsuleId capsule) {
  if (seen.unknown_version)
    return {"The device was written by a newer version of Satchel (format " +
                std::to_string(*seen.unknown_version) + ").",
            "Install a newer Satchel on this computer; nothing on the device was changed."};
  std::string what = "No generation on the device is complete.";
  for (const auto& problem : seen.problems) what += " " + problem;
  return {what,
          "Nothing was written to it. If the device was pulled while it was being "
          "packed, remove the capsule and pack it again: satchelctl remove " +
              capsule.value.str()};
}

}  // namespace

core::Found CapsuleRunner::found_in(const format::SignedHead& signed_head) const {
  auto found =
      found_from(signed_head.head, around_.parts.key.public_key().host_id(), seen_, session_);
  // A commit took its place where the newest has come as far.
  if (damaged_ && signed_head.head.generation.seq < *damaged_)
    found.lacks = core::Lacking{core::Lacking::How::damaged, *damaged_};
  return found;
}

Task<core::Event> CapsuleRunner::examine(JobContext job, core::Insertion device) {
  auto mounting = around_.devices.mounted_stick(device);
  const auto held = co_await std::move(mounting);
  auto home = Home::no;
  auto seen_before = seen_;
  const auto committing = session_ ? session_->committing : std::nullopt;
  auto examining = offload(around_.parts.lanes.files, [&, held, id = id_] {
    if (!seen_before) seen_before = load_seen(around_.parts.state_directory, id);
    auto directory = format::CapsuleDirectory::open(held->root()->get(), id);
    auto found = directory.examine();
    if (found.newest) {
      // On the word of this record the session's files go.
      if (committing == found.newest->head.generation.id) directory.write_through();
      home = home_of(around_.parts, found.newest->head);
      overlook_unrun(around_.parts, id, found.newest->head);
    }
    return found;
  });
  auto seen = co_await std::move(examining);
  home_ = home;
  seen_ = std::move(seen_before);
  tended_.clear();
  for (const auto& problem : seen.problems) around_.parts.log.warning(name_ + ": " + problem);
  if (!seen.newest || seen.unknown_version) co_return core::Examined{job.id, unreadable(seen, id_)};
  name_ = seen.newest->head.name;
  head_ = std::move(*seen.newest);
  damaged_ = seen.damaged;
  if (const auto* known = core::session_of(state_); known != nullptr && session_) {
    auto marking = check_out_again(around_.parts, held, *known, found_in(*head_), *session_);
    auto marked = co_await std::move(marking);
    if (marked) head_ = std::move(marked->head);
    if (marked) session_ = std::move(marked->session);
    auto following = follow_device();
    co_await std::move(following);
  }
  auto noting = note_seen(Noting::if_newer);
  co_await std::move(noting);
  co_return core::Examined{job.id, found_in(*head_)};
}

Task<void> CapsuleRunner::look_at_older() {
  older_.clear();
  const auto insertion = core::device_of(state_);
  const auto held = insertion ? around_.devices.stick(*insertion) : nullptr;
  if (!held || !held->is_open()) co_return;
  try {
    auto reading = offload(around_.parts.lanes.files, [held, id = id_] {
      return format::CapsuleDirectory::open(held->root()->get(), id).older();
    });
    older_ = co_await std::move(reading);
  } catch (const Fault& failure) {
    around_.parts.log.debug(std::string(failure.what()) + "; nothing to go back to is shown");
  }
}

Task<void> CapsuleRunner::note_seen(Noting how) {
  auto looking = look_at_older();
  co_await std::move(looking);
  auto now = seen_after(seen_, head_->head, how);
  if (seen_ == now) co_return;
  seen_ = std::move(now);
  auto& parts = around_.parts;
  try {
    auto storing = offload(parts.lanes.files, [&parts, id = id_, seen = *seen_] {
      store_seen(parts.state_directory, id, seen);
    });
    co_await std::move(storing);
  } catch (const Fault& failure) {
    parts.log.warning(std::string(failure.what()) + "; an older copy of " + name_ +
                      " may go unnoticed here");
  }
}

void CapsuleRunner::tell_outcome(Outcome outcome) const {
  outcome.generation = head_->head.generation.seq;
  if (const auto insertion = core::device_of(state_))
    outcome.node = around_.devices.node_of(*insertion);
  around_.parts.log.write(outcome_line(id_, name_, outcome));
}

Task<core::Event> CapsuleRunner::launch(JobContext job, core::LaunchFrom from) {
  if (from == core::LaunchFrom::session || from == core::LaunchFrom::afresh ||
      from == core::LaunchFrom::reattached) {
    auto going_on = reattach(std::move(job), from);
    co_return co_await std::move(going_on);
  }
  auto clearing = clear_away();
  co_await std::move(clearing);
  LaunchOrder order;
  order.stick = stick();
  order.capsule = id_;
  order.expected = core::found_of(state_)->id;
  order.from = from == core::LaunchFrom::memory ? machine::Start::resume : machine::Start::boot;
  const auto held = order.stick;
  const auto insertion = held->insertion();
  const bool machine_resumed = order.from == machine::Start::resume;
  auto launching = satchel::launch(around_.parts, std::move(order), job);
  auto launched = co_await std::move(launching);
  around_.devices.note_read(insertion, launched.read, launched.took);
  for (const auto& remark : launched.remarks) {
    around_.parts.log.warning(name_ + ": " + remark);
    around_.board.remark(job.id, remark);
  }
  auto meeting = exchange_cards(around_.parts, held);
  co_await std::move(meeting);
  head_ = std::move(launched.head);
  auto noting = note_seen(Noting::as_ours);
  co_await std::move(noting);
  session_ = std::move(launched.session);
  tell_outcome({"launch", "launched from", {}, {}, launched.read, launched.took});
  checkpointed_ = std::chrono::steady_clock::now();
  if (machine_resumed) check_memory_beside();
  auto asking = core_session_now(around_.parts, *session_);
  auto session = co_await std::move(asking);
  co_return ended(job.id, found_in(*head_), std::move(session), core::DeviceUse::kept);
}

Task<core::Event> CapsuleRunner::eject(JobContext job, core::StartEject how) {
  auto opening = open_session(around_.parts, id_, name_, "eject");
  auto session = co_await std::move(opening);
  CheckInOrder order{stick(), std::move(session)};
  const auto insertion = order.stick->insertion();
  const auto limit = around_.parts.config.eject.deadline;
  const auto deadline = around_.board.give_up_after(
      job.id, limit,
      Fault(Remedy::retry,
            Fault::Text{"eject", name_,
                        "it took longer than " + std::to_string(limit.count()) + " seconds",
                        "The machine goes on running. Try again when the device is less busy, or "
                        "raise eject.deadline in satchel.yaml."}));
  auto emptying = around_.parts.readers->end_filling(insertion);
  co_await std::move(emptying);
  auto checking = check_in(around_.parts, std::move(order), job);
  std::optional<CheckedIn> result;
  std::exception_ptr failure;
  try {
    result = co_await std::move(checking);
  } catch (...) {
    failure = std::current_exception();
  }
  deadline->cancel();
  if (failure) std::rethrow_exception(failure);
  auto& done = *result;
  around_.devices.note_write(insertion, done.written, done.took);
  head_ = std::move(done.head);
  auto noting = note_seen(Noting::as_ours);
  co_await std::move(noting);
  tell_outcome({"eject", "ejected to", {}, {}, done.written, done.took});
  if (how.merge == core::MergeToo::yes) {
    auto merging = merge_ejected(job);
    co_await std::move(merging);
  }
  // The device has it; whatever keeps it mounted now is told, but the eject has succeeded.
  auto use = core::DeviceUse::kept;
  try {
    job.meter->name("unmounting");
    auto ending = around_.end_upkeep(insertion, id_);
    co_await std::move(ending);
    auto releasing =
        around_.devices.release(insertion, id_, letting_go(around_.parts.config, how.by));
    use = co_await std::move(releasing);
  } catch (const Fault& busy) {
    around_.parts.log.warning(name_ + " is on its device, but " + busy.what() + ". " +
                              busy.next_step());
  }
  co_return ended(job.id, found_in(*head_), std::nullopt, use);
}

Task<core::Event> CapsuleRunner::release(JobContext job) {
  const auto insertion = core::device_of(state_);
  if (!insertion) co_return ended(job.id, {}, {}, core::DeviceUse::released);
  job.meter->name("unmounting");
  auto ending = around_.end_upkeep(*insertion, id_);
  co_await std::move(ending);
  auto releasing = around_.devices.release(
      *insertion, id_, letting_go(around_.parts.config, core::Requester::person));
  const auto use = co_await std::move(releasing);
  std::optional<core::Found> found;
  if (head_) found = found_in(*head_);
  co_return ended(job.id, std::move(found), std::nullopt, use);
}

Task<core::Event> CapsuleRunner::save_stranded(JobContext job) {
  // A memory is worth more than copies of disks that its device has, unless those are in use.
  std::optional<CapsuleId> also(id_);
  if (session_ && session_->on_copies) also.reset();
  auto making = offload(around_.parts.lanes.files, [&] {
    around_.parts.disks->give_way(head_ ? memory_of(head_->head) : ByteCount(), also);
  });
  co_await std::move(making);
  if (keeps_) {
    auto looking = look_at_kept();
    co_await std::move(looking);
  }
  auto saving = strand(around_.parts, id_);
  session_ = co_await std::move(saving);
  auto asking = core_session_now(around_.parts, *session_);
  auto session = co_await std::move(asking);
  co_return ended(job.id, {}, std::move(session), core::DeviceUse::kept);
}

Task<core::Event> CapsuleRunner::reattach(JobContext job, core::LaunchFrom from) {
  const auto start =
      from == core::LaunchFrom::afresh ? machine::Start::boot : machine::Start::resume;
  auto going_on = satchel::reattach(around_.parts, stick(), id_, start, job);
  session_ = co_await std::move(going_on);
  auto asking = core_session_now(around_.parts, *session_);
  auto session = co_await std::move(asking);
  std::optional<core::Found> found;
  if (head_) found = found_in(*head_);
  co_return ended(job.id, std::move(found), std::move(session), core::DeviceUse::kept);
}

}  // namespace satchel
