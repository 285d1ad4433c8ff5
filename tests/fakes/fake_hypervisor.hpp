// A small hypervisor without guests: machines are entries whose "memory" is a counter that a test
// advances. Saves and restores really go through the paths that they are given, in libvirt's order
// (two opens) and container. It passes the same contract as the real one (tests/libvirt). Loop
// thread.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/fault.hpp"
#include "fakes/fake_save_image.hpp"
#include "ports/hypervisor.hpp"

namespace satchel::test {

class FakeHypervisor final : public Hypervisor {
 public:
  FakeHypervisor(boost::asio::any_io_executor loop, Lanes& lanes);

  enum class Call {
    list,
    describe,
    find,
    ability,
    works,
    cpu_obstacle,
    host_cpu,
    shared_cpu,
    define,
    undefine,
    lend,
    start,
    saved_description,
    restore_saved,
    drop_saved,
    restore,
    resume,
    pause,
    destroy,
    save,
    snapshot,
    abort_job,
    overlay,  ///< also a snapshot's, behind its memory
    merge,
    commit,
    merge_snapshots,
    abort_block_jobs,
    set_time
  };

  // What a test arranges.

  /// The nth call of that kind from now on fails; 1 is the next one.
  void fail(Call call, int nth = 1, Remedy remedy = Remedy::retry);
  /// The next save fails between the end of its stream and its header.
  void fail_save_after_stream() { after_stream_ = AfterStream::fail; }
  /// From now on a guest whose save or snapshot fails at its end has let go of its disks, and does
  /// not get them back: it stands still, and does not give its memory a second time.
  void lose_disks() { disks_lost_ = true; }
  /// The next save fails when it may write its header, which is when an eject was committed.
  void fail_save_at_header() { after_stream_ = AfterStream::fail_at_header; }
  /// Called on the loop thread before each call does anything.
  std::function<void(Call)> before;
  /// Called on the lane that saves, in the middle of a stream.
  std::function<void()> within_stream;
  /// The same, between the end of a stream and its header.
  std::function<void()> at_streams_end;
  /// The same, when the header may be written.
  std::function<void()> at_header;
  /// The next save stands still in the middle of its stream until it is aborted or turned away.
  void stall_save() { after_stream_ = AfterStream::never_come; }
  /// Commits stand still at half of the way, until they are let go, stopped or aborted.
  void hold_commits() { commits_held_ = true; }
  void let_commits_go();
  /// The next commit fails at half of the way; the chain is as it was.
  void fail_commit_midway(Remedy remedy) { fail_midway_ = remedy; }
  /// A block job of a daemon that is no more is at work on the guest's disk.
  void leave_block_job(DomainId id);
  /// The guest, which is off, is there again, paused, in a save whose daemon is no more: whatever
  /// changes it waits for that, and finds it gone.
  void leave_save(DomainId id, const std::vector<Overlay>& on = {});
  /// The guest stands still, and is said to run until somebody wants to change it: as a libvirt
  /// says that has just been started and not asked QEMU yet.
  void stop_unnoticed(DomainId id);
  HostAbility abilities;  ///< has good defaults; uri and free_memory may be changed
  std::set<Accelerator> usable{Accelerator::tcg};
  std::optional<std::string> cpu_is_short_of;                   ///< what cpu_obstacle answers
  std::set<std::string> cpu_features{"aes", "avx2", "sse4.2"};  ///< of host_cpu()
  bool has_agent = false;
  std::size_t stream_bytes = 256 << 10;  ///< of a save, about

  // What happens to guests by itself.

  void tick(DomainId id);  ///< a running guest counts by one; any other stands still
  void guest_shuts_down(DomainId id);
  /// By its definition, which names these overlays.
  void somebody_starts(DomainId id, const std::vector<Overlay>& on);
  /// virsh managedsave.
  void somebody_saves(DomainId id);
  void guest_crashes(DomainId id);
  void disk_fails(DomainId id, std::string reason);
  void lose_connection();  ///< all calls fail until it is regained; guests go on
  void regain_connection();

  // What a test sees.

  int count(Call call) const;  ///< how often it was called, failures included
  std::uint64_t counter(DomainId id) const;
  std::set<std::string> lent(DomainId id) const;  ///< groups not used up yet
  std::vector<std::string> overlays(DomainId id, const std::string& target) const;
  bool has_block_job(DomainId id) const;
  /// The disk's files as the live description shows them, topmost first.
  std::vector<std::string> chain(DomainId id, const std::string& target) const;

  Task<std::vector<DomainEntry>> domains() override;
  Task<std::optional<DomainXml>> describe(std::string name_or_id) override;
  Task<std::optional<DomainEntry>> find(DomainId id) override;
  Task<HostAbility> ability(Accelerator accelerator) override;
  Task<bool> works(Accelerator accelerator) override;
  Task<std::optional<std::string>> cpu_obstacle(std::string cpu_xml, std::string machine_type,
                                                Accelerator accelerator) override;
  Task<std::string> host_cpu(Accelerator accelerator) override;
  Task<std::string> shared_cpu(std::vector<std::string> cpus, Accelerator accelerator) override;
  Task<void> define(std::string xml) override;
  Task<void> undefine(DomainId id) override;
  Task<void> lend(DomainId id, std::vector<LentFiles> files) override;
  Task<void> start(DomainId id, std::string xml) override;
  Task<std::string> saved_description(DomainId id) override;
  Task<void> restore_saved(DomainId id, std::string xml) override;
  Task<void> drop_saved(DomainId id) override;
  Task<void> restore(DomainId id, std::string path, std::string xml) override;
  Task<void> resume(DomainId id) override;
  Task<void> pause(DomainId id) override;
  Task<void> destroy(DomainId id) override;
  Task<void> save(DomainId id, std::string path) override;
  Task<void> abort_job(DomainId id) override;
  Task<void> overlay_disks(DomainId id, std::vector<Overlay> overlays) override;
  Task<void> snapshot(DomainId id, std::string path, std::vector<Overlay> overlays) override;
  Task<void> merge_overlays(DomainId id, std::vector<std::string> targets) override;
  Task<void> commit_layers(DomainId id, LayerCommit commit, ProgressSink progress,
                           std::stop_token stop) override;
  Task<std::vector<std::string>> merge_snapshots(DomainId id, std::string target,
                                                 std::string directory,
                                                 std::stop_token stop) override;
  Task<void> abort_block_jobs(DomainId id) override;
  Task<bool> set_guest_time(DomainId id) override;
  void listen(std::function<void(GuestEvent)> on_event) override;
  void listen_connection(std::function<void(bool up)> on_change) override;

 private:
  struct BlockJob {
    explicit BlockJob(const boost::asio::any_io_executor& loop)
        : change(loop, boost::asio::steady_timer::time_point::max()) {}
    void abort() {
      aborted = true;
      change.cancel();
    }
    boost::asio::steady_timer change;  ///< cancelled whenever the job should look again
    bool aborted = false;
  };
  struct Machine {
    std::string name;
    std::string inactive;  ///< empty: transient
    std::string live;      ///< empty: not active
    GuestState state = GuestState::shut_off;
    std::uint64_t counter = 0;
    struct Kept {
      std::string xml;
      std::map<std::string, std::vector<std::string>> overlays;
      std::uint64_t counter;
    };
    std::optional<Kept> kept;  ///< by libvirt, for the next start
    std::map<std::string, std::vector<UniqueFd>> lent;
    std::map<std::string, std::vector<std::string>> overlays;
    /// Set while a save streams; true ends it.
    std::shared_ptr<std::atomic<bool>> aborted;
    std::shared_ptr<BlockJob> block_job;
    bool left_in_save = false;
    bool seems_to_run = false;
    bool is_stuck = false;
  };

  void enter(Call call, const std::string& object);
  Machine& known(DomainId id, const char* doing);
  Machine& active(DomainId id, const char* doing);
  void activate(DomainId id, const std::string& xml, const char* doing);
  void deactivate(DomainId id);
  /// Throws when a save was left at work.
  void finish_left_save(DomainId id, const char* doing);
  void tell(DomainId id, GuestEvent::What what, std::string detail = {});
  static void require_disks(const Machine& machine, const std::vector<Overlay>& overlays,
                            const char* doing);
  /// The part that save() and snapshot() share; whether the guest ran.
  Task<bool> give_memory(DomainId id, std::string path, const char* doing);
  DomainEntry entry(DomainId id, const Machine& machine) const;
  std::string live_xml(const Machine& machine) const;
  Task<void> wait_midway(std::shared_ptr<BlockJob> job, std::chrono::milliseconds time);

  boost::asio::any_io_executor loop_;
  Lanes& lanes_;
  std::map<DomainId, Machine> machines_;
  std::map<Call, int> counts_;
  std::map<Call, std::map<int, Remedy>> failures_;  ///< by the number of the call
  bool disks_lost_ = false;
  AfterStream after_stream_ = AfterStream::finish;  ///< of the next save
  bool commits_held_ = false;
  std::optional<Remedy> fail_midway_;  ///< of the next commit
  bool connected_ = true;
  std::function<void(GuestEvent)> on_event_;
  std::function<void(bool)> on_change_;
};

}  // namespace satchel::test
