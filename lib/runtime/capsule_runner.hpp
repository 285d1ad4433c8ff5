// One capsule on this host: delivers events to the pure state machine, is the only code that
// assigns its state, logs each transition, performs the effects and turns every job's end into one
// event. Loop thread only; kept alive by the coroutines it has begun.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "async/beside.hpp"
#include "core/event.hpp"
#include "core/react.hpp"
#include "core/state.hpp"
#include "format/head.hpp"
#include "hibernation/page_codec.hpp"
#include "runtime/devices.hpp"
#include "runtime/job_board.hpp"
#include "runtime/pace.hpp"
#include "runtime/parts.hpp"
#include "runtime/seen_generation.hpp"
#include "runtime/view.hpp"
#include "session/session.hpp"

namespace satchel {

struct Outcome;

struct ExportOrder;

class CapsuleRunner : public std::enable_shared_from_this<CapsuleRunner> {
 public:
  struct Surroundings {
    Parts& parts;
    JobBoard& board;
    Devices& devices;
    std::function<void()> changed;
    /// Ends the merges and folds of other capsules at rest on the device, and waits for that.
    std::function<Task<void>(core::Insertion, CapsuleId asking)> end_upkeep;
    /// A session that this capsule's device had left behind is a capsule of its own there now.
    std::function<void(core::Insertion, format::SignedHead)> kept_beside;
    /// A job has left a session that is unclaimed().
    std::function<void()> session_left;
  };
  CapsuleRunner(Surroundings around, CapsuleId id);

  CapsuleId id() const { return id_; }
  const std::string& name() const { return name_; }
  const core::State& state() const { return state_; }
  /// The libvirt domain of the open session, where there is one.
  std::optional<DomainId> domain() const;
  CapsuleView view() const;
  /// The newest generation's head as last seen; null before.
  const format::Head* newest() const { return head_ ? &head_->head : nullptr; }
  /// Whether this is its home host, as of the newest generation.
  Home home() const { return home_; }

  /// A fact. Ignored when it means nothing now.
  void deliver(core::Event event);
  /// Something asked for: gives the job that it began, or that it waits for. Throws Fault when the
  /// answer is "not now".
  JobId ask(core::Event event);
  /// Of a diverged or stranded capsule: this host's session becomes the files that the order says.
  /// Throws Fault when the answer is "not now".
  JobId ask_export(ExportOrder order);

  /// Begins the merge, fold or compaction that is due, at most once for a generation.
  void look_at_upkeep();
  /// What upkeep_due() says, as far as the device allows it, and whether its memory is worn.
  std::vector<core::Upkeep> due() const;

  /// What was kept here of its disks is gone.
  void copies_dropped();

  /// Returns when what dropped sessions left to do has been done.
  Task<void> chores_done();

  /// At start-up: the journal holds this session; its device may be in.
  void adopt(Session session, const std::optional<DomainEntry>& guest,
             std::optional<core::Insertion> device);
  /// A pack has made this capsule; guest: as it is now, of a session.
  void packed(core::Insertion device, format::SignedHead head, std::optional<Session> session,
              const std::optional<DomainEntry>& guest);
  /// libvirt's news of the domain; passed over while a job of ours is the likely cause.
  void guest_changed(const GuestEvent& event);
  /// Asks libvirt for the guest, where its news may have been missed. Throws Fault.
  Task<void> look_at_guest();
  /// The session that a failed launch has left, of which libvirt could not say what became of it:
  /// the state does not know it.
  std::optional<Session> unclaimed() const;
  /// A session of which nobody could tell what became of its guest.
  void leave_unclaimed(Session session);
  /// Nobody could tell since: its device may be in use.
  bool is_unasked() const { return unasked_ && unclaimed(); }
  /// libvirt is there again: a launch that failed meanwhile is made now where machines are launched
  /// by themselves.
  void hypervisor_back();

  /// That the device may be pulled out, once, of one that was ejected while its drive was in use
  /// for something else. Nothing while it is.
  void tell_when_free();

 private:
  void guest_found(const std::optional<DomainEntry>& guest);
  /// Something lives under the guest's identity, which was gone.
  Task<void> look_at_newcomer();
  /// The guest runs, or has: that an eject may have ended it is true no more. False when none may.
  bool note_running();
  void guest_ended(core::GuestEnd how);
  /// Whether libvirt keeps the memory of the session's guest, or may do so.
  Task<bool> is_saved(Session session) const;
  /// The same, of one that an eject lost sight of: it may have run on before it ended.
  Task<void> look_behind_eject(core::GuestEnd how);
  /// Has a stranded guest saved that is in memory alone, as soon as that can be hoped for.
  void watch_memory();
  Task<void> save_when_possible();
  Task<bool> room_for_memory() const;

  using Work = std::function<Task<core::Event>(JobContext)>;

  core::Policy policy() const;
  void assign(core::Transition transition, const core::Event& cause);
  void perform(const core::Effect& effect);
  void begin(JobId job, std::string operation, Work work);
  Task<void> carry_out(JobContext job, Work work);
  Task<void> conduct(JobContext job, Work work);
  Task<core::Event> failed(JobContext job, const Fault& fault);
  /// Of a launch that failed before its guest could run, while libvirt can't be asked to end it:
  /// the next launch clears it away.
  Task<void> forget_unborn();
  Task<bool> is_hypervisor_away() const;
  /// What the device holds after a job that failed; none when it can't be asked.
  Task<std::optional<core::Found>> look_again();
  /// The journal goes on from what the device has: a job's commit may have come there, and its end
  /// not.
  Task<void> follow_device();
  void chore(std::string what, Task<void> work);
  /// What is left of a session that was dropped, if anything. Throws Fault: it is still left then.
  Task<void> clear_away();
  void drop(const core::DropSession& effect);
  void tell(core::Notice notice);

  Task<core::Event> examine(JobContext job, core::Insertion device);
  Task<core::Event> launch(JobContext job, core::LaunchFrom from);
  Task<core::Event> eject(JobContext job, core::StartEject how);
  Task<void> merge_ejected(JobContext job);
  Task<core::Event> release(JobContext job);
  Task<core::Event> save_stranded(JobContext job);
  Task<core::Event> reattach(JobContext job, core::LaunchFrom from);
  Task<core::Event> checkpoint(JobContext job, core::Requester by);
  /// Has checkpoints made by themselves while a session is open.
  void watch_for_checkpoints();
  Task<void> watch();
  Task<core::Event> tend(JobContext job, core::StartUpkeep how);
  Task<core::Event> roll_back(JobContext job, Sequence to);
  Task<core::Event> resolve(JobContext job, core::Choice choice);
  Task<void> export_here(std::shared_ptr<Stick> held, JobContext job);
  Task<void> keep_both(std::shared_ptr<Stick> held, JobContext job);
  /// A job that ends as the one does that comes when this one has ended.
  JobId wait_behind(JobId first, std::string operation);
  /// The end of what somebody asked for and `next`, which is under way, is the way to: an eject may
  /// come behind a merge. `whole` shows what is at work.
  Task<JobEnd> end_of_chain(JobId whole, JobId next);
  Task<void> come_next(JobContext job, JobId first, std::string operation);

  /// Has the device's memory read, when this insertion has not done so yet.
  void check_memory_beside();
  Task<void> check_memory(std::shared_ptr<Stick> held, format::Head head);

  /// Has the map of the stored memory read, once for each, which tells how worn it is.
  void look_at_wear();
  Task<void> measure_wear(std::shared_ptr<Stick> held, format::Head head);
  bool is_worn() const;

  /// Has the disks copied to this host where that is due: they are at home here, and the copies
  /// are of another generation.
  void keep_disks_beside();
  Task<void> keep_disks(std::shared_ptr<Stick> held, GenerationId generation);
  /// The newest generation has the same disks as the one before, `of`: what is kept here is its.
  Task<void> keep_same_disks(GenerationId of, std::shared_ptr<Stick> held);
  /// Looks which generation's disks are kept here.
  Task<void> look_at_kept();
  /// This host keeps all of the disks that the session, whose device is gone, was begun over.
  bool has_its_copies() const;
  bool can_go_on_detached() const;
  /// What else on its drive is in use, of one that was ejected; empty when it may be pulled.
  std::string in_use_beside() const;
  Task<core::Event> go_on_detached(JobContext job, core::LaunchFrom from);
  /// Work that reads what is kept here: where it fails a copy may be gone that was damaged.
  template <class T>
  Task<T> with_copies(Task<T> work) {
    std::optional<T> result;
    std::exception_ptr failure;
    try {
      result = co_await std::move(work);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) {
      auto looking = look_at_kept();
      co_await std::move(looking);
      std::rethrow_exception(failure);
    }
    co_return std::move(*result);
  }

  core::Found found_in(const format::SignedHead& head) const;
  /// Generation and node are filled in.
  void tell_outcome(Outcome outcome) const;
  /// That this host has seen the newest head, and what it leaves to go back to; a failure is a
  /// warning.
  Task<void> note_seen(Noting how);
  /// Reads which generations before the newest the device has.
  Task<void> look_at_older();
  std::shared_ptr<Stick> stick() const;

  Surroundings around_;
  CapsuleId id_;
  core::State state_;
  std::string name_;
  std::optional<format::SignedHead> head_;  ///< of the newest generation, as last seen
  std::optional<Sequence> damaged_{};       ///< a newer one that is there, as last seen
  std::vector<format::Head> older_;         ///< of the generations before it, as last seen
  std::optional<SeenGeneration> seen_;      ///< read at the first examination
  std::optional<Session> session_;
  Home home_ = Home::no;
  struct Wear {
    Digest map;
    ByteCount bytes;  ///< that an eject would write of it although it did not change
  };
  std::optional<Wear> wear_;                   ///< of the memory that was looked at last
  bool unasked_ = false;                       ///< since leave_unclaimed()
  std::optional<GenerationId> keeps_;          ///< whose disks are kept here
  std::optional<GenerationId> keeps_in_vain_;  ///< whose disks could not be
  std::shared_ptr<ExportOrder> export_to_;   ///< what export_ours is to write, while that is asked
  std::map<core::Upkeep, Sequence> tended_;  ///< the generation that it was tried on
  std::shared_ptr<Pace> pace_;               ///< of the checkpoint that is under way, or was last
  std::chrono::steady_clock::time_point checkpointed_;  ///< when the last one was begun
  bool watching_memory_ = false;                        ///< whether a failed save is tried again
  bool watching_ = false;                               ///< whether a checkpoint will be due
  bool is_pull_untold_ = false;         ///< it was ejected, and its drive was in use
  bool launch_again_ = false;           ///< the last job was a launch that may be tried again
  std::optional<Session> uncleared_{};  ///< dropped, and not all of it is removed yet
  std::optional<Beside> chore_;         ///< what a dropped session leaves to do; jobs wait for it
};

}  // namespace satchel
