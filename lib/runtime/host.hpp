// This host: its devices, its capsules and their jobs, put together from the parts; the one place
// that the bus asks. Owned by the composition root; loop thread only.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/capsule_runner.hpp"
#include "runtime/commands.hpp"
#include "runtime/devices.hpp"
#include "runtime/host_room.hpp"
#include "runtime/job_board.hpp"
#include "runtime/parts.hpp"

namespace satchel {

struct ExportOrder;
struct ImportOrder;

class Host : public Commands {
 public:
  explicit Host(Parts& parts, std::string version);

  /// Before start(): whether libvirt has to be waited for, as it does not answer and there are
  /// sessions in the journal.
  Task<bool> has_to_wait();
  /// Returns when libvirt answers. Meanwhile no device is known, and whatever is asked for refused.
  Task<void> wait_for_libvirt();
  /// Takes up the sessions in the journal, then listens to libvirt and for devices. When it
  /// returns, the devices that are there have been told of.
  Task<void> start();
  /// Asks the jobs under way to end and waits for them: an eject that is not past its commit leaves
  /// its guest running. For the daemon's own stop.
  Task<void> settle();

  /// Told what is going on, one sentence, whenever that changes; for systemctl status.
  void tell_status(std::function<void(const std::string&)> listener);
  /// Told why the computer must stay awake, a sentence, and with nothing when it may sleep: while
  /// a machine is being saved. It is told only changes.
  void tell_saving(std::function<void(const std::string&)> listener);
  /// Told whenever the last job that was under way has ended.
  void tell_rest(std::function<void()> listener) { rest_listener_ = std::move(listener); }

  const HostView& view() const override { return view_; }
  void listen(ViewListener listener) override { listener_ = std::move(listener); }

  JobId pack(PackRequest request) override;
  JobId create(CreateRequest request) override;
  JobId format(FormatRequest request) override;
  JobId launch(LaunchRequest request) override;
  using Commands::eject;
  JobId eject(CapsuleId capsule, Layers layers, Occasion occasion) override;
  JobId eject_device(DeviceNumber device) override;
  JobId checkpoint(CapsuleId capsule) override;
  JobId unlock(DeviceNumber device, UniqueFd passphrase) override;
  JobId resolve(CapsuleId capsule, std::string choice) override;
  JobId merge(CapsuleId capsule, WhenNeeded when_needed) override;
  JobId fold(CapsuleId capsule, WhenNeeded when_needed) override;
  JobId compact(CapsuleId capsule, WhenNeeded when_needed) override;
  JobId sync(SyncRequest request) override;
  std::string sync_report(CapsuleId capsule, sync::Extent extent) const override;
  JobId probe(std::string node) override;
  JobId verify(CapsuleId capsule) override;
  std::string verify_report(CapsuleId capsule) const override;
  JobId rollback(CapsuleId capsule, Sequence generation, WhenNeeded when_needed) override;
  JobId remove(CapsuleId capsule) override;
  JobId export_to(ExportRequest request) override;
  JobId import_from(ImportRequest request) override;
  void cancel(JobId job) override;
  Task<std::vector<Finding>> diagnose(Measure measure) override;
  Task<ByteCount> drop_cache(std::optional<CapsuleId> capsule) override;

 private:
  using Work = std::function<Task<void>(JobContext)>;

  std::shared_ptr<CapsuleRunner> known(CapsuleId capsule) const;
  std::shared_ptr<CapsuleRunner> runner(CapsuleId capsule);
  /// A capsule at rest that a job has just made on the device.
  void came_up(core::Insertion insertion, format::SignedHead head);
  std::vector<std::shared_ptr<CapsuleRunner>> capsules_on(core::Insertion insertion) const;
  Task<void> end_upkeep(core::Insertion insertion, CapsuleId asking);
  bool in_use(core::Insertion insertion, std::optional<CapsuleId> asking) const;
  core::Insertion insertion_of(DeviceNumber device) const;

  // A capsule's copies on several devices at once: host_copies.cpp.
  /// Its runner is told, but when it has another device: then the first one goes on undisturbed.
  void capsule_seen(core::Insertion insertion, CapsuleId capsule);
  /// Runners whose device is gone are told of the next that holds a copy.
  void look_at_copies();
  /// What is to be known of a device that holds a second copy; empty for any other.
  std::string said_of(core::Insertion insertion) const;

  struct FoundSession {
    Session session;
    std::optional<DomainEntry> guest;
    bool could_be_asked_for = true;
  };
  /// The session as it goes on from here, after whatever a former daemon was killed in.
  Task<FoundSession> take_up_session(Session& session);
  /// The sessions in the journal; an interrupted pack is undone.
  Task<void> clear_leftovers(std::vector<CapsuleId> leftovers);
  Task<std::vector<FoundSession>> take_up_sessions();
  /// The guest of a save that nobody waits for any more, once libvirt is done with that: gone, or
  /// again as it was before.
  Task<std::optional<DomainEntry>> after_save(DomainEntry guest, GuestWas before);
  /// Of a guest that was found alive within a job that saves it; gives it as it is then.
  Task<std::optional<DomainEntry>> take_up(Session& session, DomainEntry guest);
  /// Of a guest that is gone, where the daemon ended between its commit and its end: notes that it
  /// has run on, when it has.
  Task<void> look_behind_eject(Session& session, bool is_saved);
  /// Of a guest that is gone, where the daemon ended about when it was let run: whether it has done
  /// anything since it was saved.
  Task<void> look_behind_waking(Session& session);
  /// Forgets a save image that was never finished.
  Task<void> check_save_image(Session& session);
  Task<void> undo_pack(const Session& session);
  /// Tells of devices that do not answer, and gives up what waits too long for them.
  void look_at_silence();
  void hear_libvirt();
  Task<void> note_hypervisor();
  /// Throws Fault while libvirt is waited for.
  void refuse_while_waiting(const std::string& doing, const std::string& what) const;
  Task<std::vector<Finding>> look_around(Measure measure);
  void guest_changed(const GuestEvent& event);
  void connection_changed(bool up);
  enum class LookAt { unclaimed, all };
  /// What became of the guests while libvirt could not tell: those of sessions that nobody knows,
  /// or all, as libvirt is back. One look at a time.
  Task<void> look_at_guests(LookAt which);
  Task<void> look_at(CapsuleRunner& capsule, LookAt which);

  JobId begin(JobBoard::Subject subject, Work work);
  Task<void> conduct(JobContext job, Work work, JobBoard::Subject subject);
  Task<void> pack_job(JobContext job, PackRequest request, core::Insertion insertion);
  Task<void> create_job(JobContext job, std::shared_ptr<CreateRequest> request,
                        core::Insertion insertion);
  Task<void> format_job(JobContext job, FormatRequest request);
  /// Throws Fault when the device keeps less than it says.
  Task<void> refuse_counterfeit(JobContext job, std::string node);
  Task<void> probe_job(JobContext job, core::Insertion insertion, std::string node,
                       std::shared_ptr<Readers::Ticket> ticket);
  /// A file manager's "safely remove"; nothing while one is under way.
  void removal_wanted(const RemovalRequest& request, DeviceNumber device);
  Task<void> removal_job(JobContext job, DeviceNumber device);
  Task<void> eject_device_job(JobContext job, DeviceNumber device, core::Requester by);
  Task<void> remove_job(JobContext job, CapsuleId capsule);
  Task<void> export_job(JobContext job, ExportOrder order, core::Insertion insertion,
                        std::shared_ptr<Readers::Ticket> ticket);
  Task<void> import_job(JobContext job, ImportOrder order, core::Insertion insertion);
  /// Unmounts the device if nothing uses it; a failure is a warning.
  Task<void> let_go_quietly(core::Insertion insertion);

  Task<void> sync_job(JobContext job, SyncRequest request, core::Insertion insertion,
                      std::shared_ptr<Readers::Ticket> ticket);
  /// Begins a sync that the settings want, one at a time.
  void sync_by_itself();
  /// Has the merges and folds on the device begin that waited for a sync to end.
  void look_at_upkeep(core::Insertion insertion);
  /// Throws Fault while a sync or verification reads the capsule's device.
  void check_unread(CapsuleId capsule, const std::string& what) const;
  /// Throws Fault while disk files on the device are merged or folded.
  void check_untended(core::Insertion insertion, const std::string& what,
                      const std::string& name) const;
  Task<void> verify_job(JobContext job, CapsuleId capsule, core::Insertion insertion,
                        std::shared_ptr<Readers::Ticket> ticket);

  void changed();
  void refresh();

  Parts& parts_;
  HostView view_;
  ViewListener listener_;
  std::function<void(const std::string&)> status_listener_;
  std::string status_;
  std::function<void(const std::string&)> saving_listener_;
  std::string saving_;
  std::function<void()> rest_listener_;
  bool rests_ = true;
  bool refresh_due_ = false;
  bool diagnosing_ = false;
  std::string waiting_sessions_;  ///< names of the machines, while libvirt is waited for
  boost::asio::steady_timer libvirt_back_;
  bool looking_ = false, look_due_ = false, hypervisor_is_back_ = false;  ///< at guests
  Devices devices_;
  JobBoard board_;
  HostRoom room_;
  std::map<CapsuleId, std::shared_ptr<CapsuleRunner>> capsules_;
  std::multiset<core::Insertion> held_;  ///< devices that a job of the host reads or fills
  /// When an eject that a file manager asked for failed, by device.
  std::map<DeviceNumber, std::chrono::steady_clock::time_point> removals_failed_;
  std::map<CapsuleId, std::pair<core::Insertion, GenerationId>>
      sync_tried_;                             ///< by itself, on what
  std::map<CapsuleId, std::string> verified_;  ///< the last report of each, until the daemon's end
};

}  // namespace satchel
