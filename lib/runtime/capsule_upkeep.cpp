// Merges, folds and compactions of one capsule: when they begin, and what is asked for behind them.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/jobs/tend.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/sessions.hpp"
#include "runtime/upkeep.hpp"

namespace satchel {

namespace asio = boost::asio;

namespace {

/// What an eject or a launch ends.
std::string background(const core::State& state) {
  const auto* tending = std::get_if<core::Tending>(&state);
  if (tending == nullptr) return "checkpoint";
  return tending->what == core::Upkeep::compact ? "compaction" : "merge";
}

/// Its layers are merged because an eject is to do that, which is what comes next.
bool is_on_its_way_out(const core::State& state) {
  const auto* tending = std::get_if<core::Tending>(&state);
  return tending != nullptr && tending->what == core::Upkeep::merge && tending->work.removal;
}

}  // namespace

Task<core::Event> CapsuleRunner::tend(JobContext job, core::StartUpkeep how) {
  if (head_) tended_[how.what] = head_->head.generation.seq;
  TendOrder order;
  order.stick = stick();
  order.capsule = id_;
  order.what = how.what;
  order.although = how.although;
  if (how.by == core::Requester::policy) {
    order.bytes_per_second = around_.parts.config.merge.rate.value;
    if (how.what == core::Upkeep::merge) order.older = TendOrder::Older::kept;
    order.extent = TendOrder::Extent::worn;
  }
  const auto insertion = order.stick->insertion();
  const bool moves = how.what != core::Upkeep::compact;
  if (moves) {
    auto ending = around_.parts.readers->end_of(id_);
    co_await std::move(ending);
  }
  if (core::session_of(state_) != nullptr) {
    auto loading =
        offload(around_.parts.lanes.files, [this] { return around_.parts.shelf.find(id_); });
    order.session = co_await std::move(loading);
    if (!order.session)
      throw Fault(Remedy::report_bug,
                  Fault::Text{"merge the disks of", name_, "the session's journal is missing", {}});
  }
  // A merge moves what the memory has borrowed: that is to be read where it is then.
  if (moves && head_ && borrows(head_->head))
    stick()->forget_memory_seen(head_->head.find(head_->head.hibernation->map)->digest);
  const auto held = order.stick;
  const auto before = head_ ? std::optional(head_->head.generation.id) : std::nullopt;
  Tended tended;
  try {
    auto tending = satchel::tend(around_.parts, std::move(order), job);
    tended = co_await std::move(tending);
  } catch (const Fault& failure) {
    // Each attempt reads all files: the device is not going to become another one.
    if (failure.remedy() == Remedy::other_device) tended_[how.what] = never_again;
    throw;
  }
  if (!tended.said.empty()) around_.board.remark(job.id, tended.said);
  head_ = std::move(tended.head);
  if (!moves && before && *before != head_->head.generation.id) {
    auto keeping = keep_same_disks(*before, held);
    co_await std::move(keeping);
  }
  auto noting = note_seen(Noting::if_newer);
  co_await std::move(noting);
  if (tended.session && (!moves || borrows(head_->head))) check_memory_beside();
  tended_[how.what] = head_->head.generation.seq;
  core::Done done;
  done.found = found_in(*head_);
  if (tended.session) {
    session_ = std::move(tended.session);
    auto asking = core_session_now(around_.parts, *session_);
    done.session = co_await std::move(asking);
  }
  around_.devices.look_at_space(insertion);
  co_return core::JobEnded{job.id, std::move(done)};
}

/// The device holds the machine and the guest is gone; whatever becomes of this, the eject stands.
Task<void> CapsuleRunner::merge_ejected(JobContext job) {
  std::string why;
  try {
    // Later commits would look to a restarted daemon like another host's.
    if (session_) {
      auto dropping = drop_session(around_.parts, *session_);
      co_await std::move(dropping);
      session_.reset();
    }
    auto ending = around_.parts.readers->end_of(id_);
    co_await std::move(ending);
    TendOrder order;
    order.stick = stick();
    order.capsule = id_;
    auto tending = satchel::tend(around_.parts, std::move(order), job);
    auto tended = co_await std::move(tending);
    head_ = std::move(tended.head);
    auto noting = note_seen(Noting::if_newer);
    co_await std::move(noting);
    if (!tended.said.empty()) around_.board.remark(job.id, tended.said);
    co_return;
  } catch (const std::exception& failure) {
    why = failure.what();
  }
  around_.parts.log.warning(name_ + " is on its device, but its layers are not merged: " + why);
  around_.board.remark(job.id, "The machine is on its device, but its layers are not merged: " +
                                   why + ". They are merged some other time.");
}

void CapsuleRunner::look_at_upkeep() {
  if (!head_ || core::job_of(state_)) return;
  // It may be being let go of.
  const auto insertion = core::device_of(state_);
  const auto held = insertion ? around_.devices.stick(*insertion) : nullptr;
  if (!held || !held->is_open()) return;
  // It comes when the sync or verification has ended, which needs the files as they are.
  if (around_.parts.readers->on(*insertion) != nullptr) return;
  const auto& head = head_->head;
  const auto* running = std::get_if<core::Running>(&state_);
  if (running == nullptr && !std::holds_alternative<core::Ready>(state_)) return;
  const bool rests = running == nullptr || running->session.guest == core::Guest::off;
  if (!rests && around_.parts.config.merge.while_running == WhileRunning::no) return;
  // An eject that failed after its commit left another generation than the one that runs.
  if (running != nullptr && !(head.checked_out && head.checked_out->session == running->session.id))
    return;
  for (const auto what : due()) {
    if (const auto tried = tended_.find(what);
        tried != tended_.end() && tried->second >= head.generation.seq)
      continue;
    if (what == core::Upkeep::fold && sync_due(around_.parts, head)) continue;
    deliver(core::UpkeepDue{what});
    if (core::job_of(state_)) return;
  }
}

std::vector<core::Upkeep> CapsuleRunner::due() const {
  auto out = upkeep_due(around_.parts.config, head_->head, older_, home_);
  const auto insertion = core::device_of(state_);
  const auto held = insertion ? around_.devices.stick(*insertion) : nullptr;
  if (held && !may_enlarge(held->volume())) std::erase(out, core::Upkeep::fold);
  if (is_worn()) out.push_back(core::Upkeep::compact);
  return out;
}

JobId CapsuleRunner::wait_behind(JobId first, std::string operation) {
  std::optional<DeviceNumber> device;
  if (const auto insertion = core::device_of(state_))
    device = around_.devices.number_of(*insertion);
  auto job = around_.board.begin({operation, id_, device});
  const auto id = job.id;
  job.meter->name("ending the " + background(state_));
  asio::co_spawn(around_.parts.loop, come_next(std::move(job), first, std::move(operation)),
                 asio::detached);
  return id;
}

Task<JobEnd> CapsuleRunner::end_of_chain(JobId whole, JobId next) {
  for (;;) {
    const bool merges_first = is_on_its_way_out(state_);
    around_.board.follow(whole, next);
    auto waiting = around_.board.wait(next);
    auto end = co_await std::move(waiting);
    const auto then = core::job_of(state_);
    if (!merges_first || !then || *then == next) co_return end;
    if (end.result != "done" && end.result != "cancelled")
      around_.board.remark(whole, "The layers are not merged: " + end.message);
    next = *then;
  }
}

Task<void> CapsuleRunner::come_next(JobContext job, JobId first, std::string operation) {
  const auto self = shared_from_this();
  const bool merges = background(state_) == "merge";
  auto waiting = around_.board.wait(first);
  const auto before = co_await std::move(waiting);
  if (before.result != "done" && before.result != "cancelled")
    around_.board.remark(job.id, (merges ? "The layers are not merged: " : "") + before.message);
  const auto next = core::job_of(state_);
  const bool came = std::holds_alternative<core::Ejecting>(state_) ||
                    std::holds_alternative<core::Launching>(state_) || is_on_its_way_out(state_);
  if (next && came) {
    auto following = end_of_chain(job.id, *next);
    const auto end = co_await std::move(following);
    around_.board.end_like(job.id, end);
  } else if (std::holds_alternative<core::Safe>(state_) ||
             std::holds_alternative<core::Running>(state_)) {
    around_.board.end_done(job.id);
  } else {
    around_.board.end_failed(
        job.id, Fault(Remedy::retry, Fault::Text{operation, name_, core::detail(state_),
                                                 core::next_step(state_)}));
  }
}

}  // namespace satchel
