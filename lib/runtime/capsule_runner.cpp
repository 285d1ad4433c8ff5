#include "runtime/capsule_runner.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "core/settle.hpp"
#include "runtime/messages.hpp"
#include "runtime/sentences.hpp"
#include "runtime/sessions.hpp"
#include "runtime/upkeep.hpp"

namespace satchel {

namespace asio = boost::asio;

CapsuleRunner::CapsuleRunner(Surroundings around, CapsuleId id)
    : around_(std::move(around)), id_(id), name_(id.value.str()) {}

namespace {

/// Something was asked for that comes when a checkpoint or upkeep has ended.
bool waits(const core::State& state) {
  if (const auto* at = std::get_if<core::Checkpointing>(&state))
    return at->work.removal.has_value();
  if (const auto* at = std::get_if<core::Tending>(&state)) return at->work.removal || at->wanted;
  return false;
}

}  // namespace

std::optional<DomainId> CapsuleRunner::domain() const {
  const auto* session = core::session_of(state_);
  if (session == nullptr) return std::nullopt;
  return session->domain;
}

core::Policy CapsuleRunner::policy() const {
  core::Policy out;
  out.on_insert = around_.parts.config.on_insert == OnInsert::resume ? core::OnInsert::resume
                                                                     : core::OnInsert::ask;
  return out;
}

void CapsuleRunner::deliver(core::Event event) {
  auto transition = core::react(state_, event, around_.board.next(), policy());
  if (transition) assign(std::move(*transition), event);
}

JobId CapsuleRunner::ask(core::Event event) {
  auto transition = core::react(state_, event, around_.board.next(), policy());
  if (!transition) {
    const auto reason = core::refusal(state_, event);
    throw Fault(Remedy::fix_request,
                Fault::Text{asked_for(event), name_, reason.what, reason.next});
  }
  assign(std::move(*transition), event);
  const auto under_way = core::job_of(state_);
  const bool launch = std::holds_alternative<core::LaunchAsked>(event);
  const bool background = std::holds_alternative<core::Tending>(state_) ||
                          std::holds_alternative<core::Checkpointing>(state_);
  const bool other_work = background && (launch || std::holds_alternative<core::EjectAsked>(event));
  if (other_work && waits(state_)) return wait_behind(*under_way, asked_for(event));
  // Not when a paused guest was resumed beside a merge.
  if (under_way && !other_work) return *under_way;
  // Done already: a job that only ends, once the asker has heard of it.
  const auto job = around_.board.begin({asked_for(event), id_, view().device});
  asio::post(around_.parts.loop, [&board = around_.board, id = job.id] { board.end_done(id); });
  return job.id;
}

void CapsuleRunner::assign(core::Transition transition, const core::Event& cause) {
  const auto before = core::name(state_);
  state_ = std::move(transition.state);
  const auto after = core::name(state_);
  around_.parts.log.write(transition_line(id_, name_, before, after, core::name(cause)));
  for (const auto& effect : transition.effects) perform(effect);
  // Somebody waits for what goes on in the background.
  if (pace_ && std::holds_alternative<core::Checkpointing>(state_) && waits(state_)) pace_->lift();
  if (std::holds_alternative<core::Running>(state_)) watch_for_checkpoints();
  watch_memory();
  if (std::holds_alternative<core::Ready>(state_) || std::holds_alternative<core::Running>(state_))
    asio::post(around_.parts.loop, [self = shared_from_this()] {
      self->look_at_upkeep();
      self->keep_disks_beside();
      self->look_at_wear();
    });
  around_.changed();
}

void CapsuleRunner::perform(const core::Effect& effect) {
  struct Performer {
    CapsuleRunner& self;
    void operator()(const core::StartExamine& e) {
      self.begin(e.job, "examine", [&me = self, device = e.device](JobContext job) {
        return me.examine(std::move(job), device);
      });
    }
    void operator()(const core::StartLaunch& e) {
      self.begin(e.job, "launch", [&me = self, from = e.from](JobContext job) {
        return me.launch(std::move(job), from);
      });
    }
    void operator()(const core::StartEject& e) {
      self.begin(e.job, "eject",
                 [&me = self, e](JobContext job) { return me.eject(std::move(job), e); });
    }
    void operator()(const core::ReleaseDevice& e) {
      self.begin(e.job, "eject",
                 [&me = self](JobContext job) { return me.release(std::move(job)); });
    }
    void operator()(const core::StartUpkeep& e) {
      self.begin(e.job, std::string(core::name(e.what)),
                 [&me = self, e](JobContext job) { return me.tend(std::move(job), e); });
    }
    void operator()(const core::StartCheckpoint& e) {
      self.begin(e.job, "checkpoint", [&me = self, by = e.by](JobContext job) {
        return me.checkpoint(std::move(job), by);
      });
    }
    void operator()(const core::StartRollback& e) {
      self.begin(e.job, "rollback", [&me = self, to = e.to](JobContext job) {
        return me.roll_back(std::move(job), to);
      });
    }
    void operator()(const core::Resolve& e) {
      self.begin(e.job, "resolve", [&me = self, choice = e.choice](JobContext job) {
        return me.resolve(std::move(job), choice);
      });
    }
    void operator()(const core::SaveStranded& e) {
      self.begin(e.job, "save",
                 [&me = self](JobContext job) { return me.save_stranded(std::move(job)); });
    }
    void operator()(const core::Reattach& e) {
      self.begin(e.job, "launch", [&me = self](JobContext job) {
        return me.reattach(std::move(job), core::LaunchFrom::reattached);
      });
    }
    void operator()(const core::GoOnDetached& e) {
      self.begin(e.job, "launch", [&me = self, from = e.from](JobContext job) {
        return me.go_on_detached(std::move(job), from);
      });
    }
    void operator()(const core::Cancel& e) { self.around_.board.cancel(e.job); }
    void operator()(const core::PauseGuest&) {
      if (const auto domain = self.domain())
        self.chore("pause the guest", self.around_.parts.hypervisor.pause(*domain));
    }
    void operator()(const core::ResumeGuest&) {
      if (const auto domain = self.domain())
        self.chore("resume the guest", self.around_.parts.hypervisor.resume(*domain));
    }
    void operator()(const core::DropSession& e) { self.drop(e); }
    void operator()(const core::Tell& e) { self.tell(e.notice); }
  };
  std::visit(Performer{*this}, effect);
}

void CapsuleRunner::begin(JobId job, std::string operation, Work work) {
  launch_again_ = false;
  std::optional<DeviceNumber> device;
  const bool is_apart = std::holds_alternative<core::Stranded>(state_) ||
                        std::holds_alternative<core::Detached>(state_);
  if (const auto insertion = core::device_of(state_); insertion && !is_apart)
    device = around_.devices.number_of(*insertion);
  auto context = around_.board.begin({std::move(operation), id_, device});
  if (context.id != job)
    around_.parts.log.error("job numbers are out of step; this is a defect of satcheld");
  asio::co_spawn(around_.parts.loop, carry_out(std::move(context), std::move(work)),
                 asio::detached);
}

void CapsuleRunner::chore(std::string what, Task<void> work) {
  auto doing = [](std::shared_ptr<CapsuleRunner> self, std::string label,
                  std::optional<Beside> before, Task<void> task) -> Task<void> {
    if (before) {
      auto waiting = before->settled();
      co_await std::move(waiting);
    }
    try {
      co_await std::move(task);
    } catch (const std::exception& failure) {
      self->around_.parts.log.warning("could not " + label + " of " + self->name_ + ": " +
                                      failure.what());
    }
  };
  chore_.emplace(around_.parts.loop, doing(shared_from_this(), std::move(what),
                                           std::exchange(chore_, std::nullopt), std::move(work)));
}

Task<void> CapsuleRunner::chores_done() {
  const auto self = shared_from_this();
  if (!chore_) co_return;
  auto waiting = chore_->settled();
  co_await std::move(waiting);
}

void CapsuleRunner::drop(const core::DropSession& effect) {
  if (!session_ || session_->session != effect.session) return;
  uncleared_ = std::exchange(session_, std::nullopt);
  chore("clear away the session", clear_away());
}

Task<void> CapsuleRunner::clear_away() {
  if (!uncleared_) co_return;
  auto dropping = drop_session(around_.parts, *uncleared_);
  co_await std::move(dropping);
  uncleared_.reset();
}

void CapsuleRunner::tell(core::Notice notice) {
  auto line = notice_line(id_, name_, notice, state_);
  if (notice == core::Notice::safe) {
    const auto others = in_use_beside();
    is_pull_untold_ = !others.empty();
    if (is_pull_untold_)
      line = LogLine{line.level, name_ + ": " + safe_but_in_use_sentence(others), {}, {}};
  }
  around_.parts.log.write(line);
}

void CapsuleRunner::tell_when_free() {
  if (is_pull_untold_ && std::holds_alternative<core::Safe>(state_) && in_use_beside().empty())
    tell(core::Notice::safe);
}

void CapsuleRunner::adopt(Session session, const std::optional<DomainEntry>& guest,
                          std::optional<core::Insertion> device) {
  name_ = session.capsule_name;
  auto known = core_session(session, guest);
  // Its files belong to an insertion that is over.
  if (!device) known = core::without_files(std::move(known));
  launch_again_ = false;
  unasked_ = false;
  session_ = std::move(session);
  asio::co_spawn(around_.parts.loop, look_at_kept(), asio::detached);
  deliver(core::SessionFound{known, device});
}

void CapsuleRunner::packed(core::Insertion device, format::SignedHead head,
                           std::optional<Session> session,
                           const std::optional<DomainEntry>& guest) {
  name_ = head.head.name;
  seen_.reset();
  core::Packed event;
  event.device = device;
  event.found = found_in(head);
  if (session) event.session = core_session(*session, guest);
  head_ = std::move(head);
  home_ = home_of(around_.parts, head_->head);
  session_ = std::move(session);
  chore("note the generation", note_seen(Noting::as_ours));
  deliver(std::move(event));
}

std::shared_ptr<Stick> CapsuleRunner::stick() const {
  const auto insertion = core::device_of(state_);
  auto out = insertion ? around_.devices.stick(*insertion) : nullptr;
  if (!out) throw Fault(Remedy::replug, Fault::Text{"use the device of", name_, "it is gone", {}});
  return out;
}

}  // namespace satchel
