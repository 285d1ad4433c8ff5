// One computer of a random history: the real state machine, format, journal and jobs of the
// runtime, where these need no libvirt; its guest is a flag, and every job runs to its end at once.
// Its power can fail between any two steps of a job.
#pragma once

#include <boost/asio/io_context.hpp>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/react.hpp"
#include "fakes/fake_hypervisor.hpp"
#include "fakes/fake_plugs.hpp"
#include "fakes/fake_volumes.hpp"
#include "format/capsule_directory.hpp"
#include "histories/truth.hpp"
#include "runtime/jobs/tending.hpp"
#include "runtime/parts.hpp"
#include "runtime/seen_generation.hpp"
#include "runtime/stick.hpp"

namespace satchel::histories {

/// A mistake made on purpose: the history has to find it.
enum class Mistake {
  none,
  marks_passed_over,
  seen_forgotten,
  need_forgotten,
  mark_taken_for_ours,
  checkpoint_forgotten
};

class PowerCut {};

class Silence : public Log {
 public:
  void write(const LogLine&) override {}
};

class Nobody : public Authority {
 public:
  Task<bool> allows(std::string, Undertaking, Interaction) override { co_return true; }
  Task<bool> is_there() override { co_return true; }
};

/// What all computers of one thread share.
struct Workshop {
  explicit Workshop(std::filesystem::path place);
  std::filesystem::path place;
  boost::asio::io_context io;
  Lanes lanes;
  Silence log;
  Nobody authority;
  test::FakeHypervisor hypervisor{io.get_executor(), lanes};
  fakes::FakePlugs plugs;
  std::vector<HostKey> keys;
  std::string empty_overlay;
};

class Computer {
 public:
  Computer(Workshop& shop, std::filesystem::path world, std::size_t number, CapsuleId capsule,
           Truth& truth, Mistake mistake);

  // What happens to it.

  void plug(Medium& medium);
  void pull();
  /// False when the answer was "not now".
  bool ask(const core::Event& event);
  void write(int key, int value);
  void shut_guest_down();
  /// The daemon is started anew and finds its guest, and the device that is in its port.
  void restart_daemon();
  /// It loses its power, and its daemon starts again; gives the device that was in its port.
  Medium* cut_power();
  /// It loses its power at the n-th step from now; every job begun by what comes next counts.
  void cut_power_after(int steps) { steps_left_ = steps; }
  /// The record of what it has seen is lost; the daemon has to be started anew.
  void forget_seen();
  void fail_next_launch() { launch_fails_ = true; }
  /// Once the device has it.
  void fail_next_eject() { eject_fails_ = true; }
  /// What comes of the next checkpoint; the guest may write on before it is shipped.
  struct CheckpointPlay {
    enum class End { whole, before_the_commit, behind_the_commit } end = End::whole;
    std::optional<std::pair<int, int>> meanwhile{};
  };
  void play_checkpoint(CheckpointPlay how) { checkpoint_ = how; }

  // What is seen of it.

  const core::State& state() const { return state_; }
  Medium* medium() const { return medium_; }
  std::filesystem::path medium_path(std::size_t number) const;
  const SessionShelf& shelf() const { return shelf_; }
  bool guest_runs() const { return guest_ == GuestState::running; }
  /// A choice is being carried out: sessions may be given up.
  bool choosing = false;

 private:
  using Job = std::function<core::Event()>;

  bool deliver(const core::Event& event);
  void work();
  void perform(const core::Effect& effect);
  void begin(JobId job, std::function<core::Event(JobContext)> what);
  core::Event failed(JobId job, const Fault& fault);
  void step();
  void start();
  void drop(const core::DropSession& effect);
  void overlook(SessionId session);
  std::optional<DomainEntry> guest() const;
  void mount();
  format::CapsuleDirectory open() const;
  core::Found found() const;
  void note(Noting how);
  void record(const format::SignedHead& head, Deed deed, std::optional<SessionId> by,
              bool insisted = false);

  core::Event examine(JobId job);
  void mark_again(format::CapsuleDirectory& capsule, Session& session);
  core::Event launch(JobId job, core::LaunchFrom from);
  core::Event launch_anew(JobId job);
  core::Event reattach(JobId job);
  core::Event eject(JobContext job);
  core::Event save_stranded(JobId job);
  core::Event go_back(JobId job, Sequence to);
  core::Event checkpoint(JobContext job);
  void add_overlay(Session& session);
  core::Event tend(JobContext job, core::StartUpkeep how);
  void merge(tending::Tending& at, const std::vector<tending::Span>& spans, core::Upkeep what,
             bool insisted, const JobContext& job);
  core::Event done(JobId job, std::optional<core::Session> session, core::DeviceUse use);

  Workshop& shop_;
  std::size_t number_;
  CapsuleId capsule_;
  Truth& truth_;
  Mistake mistake_;
  std::filesystem::path home_;
  std::filesystem::path world_;
  fakes::FakeVolumes volumes_;
  SessionShelf shelf_;
  Parts parts_;
  core::State state_;
  std::deque<Job> jobs_;
  std::uint64_t last_job_ = 0;
  std::uint64_t insertions_ = 0;
  std::uint64_t disk_sequence_ = 0;
  int steps_left_ = 0;
  bool launch_fails_ = false;
  bool eject_fails_ = false;
  CheckpointPlay checkpoint_;
  Medium* medium_ = nullptr;
  std::shared_ptr<Stick> stick_;
  std::optional<GuestState> guest_;
  std::optional<Session> session_;
  std::optional<format::SignedHead> head_;
  std::optional<SeenGeneration> seen_;
};

}  // namespace satchel::histories
