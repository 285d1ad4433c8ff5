#include "histories/computer.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "histories/files.hpp"
#include "runtime/heads.hpp"
#include "runtime/sessions.hpp"

namespace satchel::histories {

namespace fs = std::filesystem;

Workshop::Workshop(fs::path where) : place(std::move(where)) {
  fs::create_directories(place);
  for (int i = 0; i < 4; ++i)
    keys.push_back(HostKey::load_or_create(place / ("key-" + std::to_string(i))));
  empty_overlay = overlay_template(place);
}

namespace {

fs::path made(fs::path directory) {
  fs::create_directories(directory);
  return directory;
}

}  // namespace

Computer::Computer(Workshop& shop, fs::path world, std::size_t number, CapsuleId capsule,
                   Truth& truth, Mistake mistake)
    : shop_(shop),
      number_(number),
      capsule_(capsule),
      truth_(truth),
      mistake_(mistake),
      home_(made(world / ("host-" + std::to_string(number)))),
      world_(std::move(world)),
      volumes_(world_),
      shelf_(home_),
      parts_{shop.io.get_executor(),
             shop.lanes,
             shop.hypervisor,
             volumes_,
             shop.plugs,
             shop.authority,
             shop.log,
             shop.keys.at(number),
             shelf_,
             {},
             "host-" + std::to_string(number),
             home_,
             home_,
             [] { return UnixMicros(1'795'340'040'000'000); }} {
  parts_.config.space.keep_free_device = ByteCount(0);
  parts_.config.generations = {static_cast<unsigned>(number % 3), 0};
  // So little room here that nothing is compressed: the lines of a disk file are read back as they
  // are.
  parts_.config.space.keep_free_host = ByteCount(1ULL << 60);
}

// what happens to it

fs::path Computer::medium_path(std::size_t number) const {
  return volumes_.content("/dev/medium" + std::to_string(number));
}

void Computer::mount() {
  auto opening = boost::asio::co_spawn(shop_.io, stick_->open(volumes_, shop_.lanes.files),
                                       boost::asio::use_future);
  shop_.io.restart();
  shop_.io.run();
  opening.get();
}

void Computer::plug(Medium& medium) {
  Volume volume;
  volume.node = "/dev/medium" + std::to_string(medium.number);
  volume.fs_type = "ext4";
  volume.fs_uuid = "0000-0001";
  volumes_.add(volume);
  medium_ = &medium;
  medium.host = number_;
  medium.is_checked = false;
  stick_ = std::make_shared<Stick>(core::Insertion(++insertions_), ++disk_sequence_, volume);
  deliver(core::DeviceAppeared{stick_->insertion()});
}

void Computer::pull() {
  const auto gone = std::exchange(stick_, nullptr);
  gone->close();
  std::exchange(medium_, nullptr)->host.reset();
  deliver(core::DeviceGone{gone->insertion()});
}

bool Computer::ask(const core::Event& event) { return deliver(event); }

void Computer::write(int key, int value) {
  append(session_->disks.front().path, std::to_string(key) + " " + std::to_string(value) + "\n");
  truth_.runs.at(session_->session).written[key] = value;
}

void Computer::shut_guest_down() {
  guest_.reset();
  truth_.runs.at(session_->session).is_off = true;
  deliver(core::GuestStopped{core::GuestEnd::by_itself});
}

Medium* Computer::cut_power() {
  steps_left_ = 0;
  launch_fails_ = false;
  eject_fails_ = false;
  checkpoint_ = {};
  if (session_ && truth_.session_of[number_]) {
    auto& run = truth_.runs.at(session_->session);
    run.is_off = run.is_off || !session_->save_image;
  }
  guest_.reset();
  if (stick_) stick_->close();
  stick_.reset();
  auto* there = std::exchange(medium_, nullptr);
  if (there != nullptr) there->host.reset();
  start();
  return there;
}

void Computer::restart_daemon() {
  start();
  // With a session in there it is being looked at already.
  if (stick_) deliver(core::DeviceAppeared{stick_->insertion()});
}

/// As Host::start: the sessions in the journal first.
void Computer::start() {
  jobs_.clear();
  state_ = core::Absent{};
  head_.reset();
  seen_.reset();
  session_ = shelf_.find(capsule_);
  if (!session_) return;
  auto known = core_session(*session_, guest());
  std::optional<core::Insertion> device;
  if (stick_ && stick_->is_open() && stick_->disk_sequence() == session_->disk_sequence)
    device = stick_->insertion();
  if (!device && known.guest == core::Guest::runs) known.guest = core::Guest::halted;
  deliver(core::SessionFound{known, device});
}

void Computer::forget_seen() {
  fs::remove_all(home_ / "seen");
  truth_.seen_by[number_].reset();
}

// the state machine's runner

void Computer::step() {
  if (steps_left_ > 0 && --steps_left_ == 0) throw PowerCut{};
}

bool Computer::deliver(const core::Event& event) {
  const auto policy = core::Policy{truth_.on_insert};
  auto transition = core::react(state_, event, JobId(last_job_ + 1), policy);
  if (!transition) return false;
  state_ = std::move(transition->state);
  for (const auto& effect : transition->effects) perform(effect);
  work();
  return true;
}

void Computer::work() {
  while (!jobs_.empty()) {
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    deliver(job());
  }
}

void Computer::begin(JobId job, std::function<core::Event(JobContext)> what) {
  last_job_ = job.value;
  jobs_.push_back([this, job, what = std::move(what)] {
    try {
      return what(JobContext{job, {}, std::make_shared<Meter>()});
    } catch (const Fault& fault) {
      return failed(job, fault);
    }
  });
}

void Computer::perform(const core::Effect& effect) {
  struct Performer {
    Computer& self;
    void operator()(const core::StartExamine& e) {
      self.begin(e.job, [&me = self](JobContext job) { return me.examine(job.id); });
    }
    void operator()(const core::StartLaunch& e) {
      self.begin(e.job,
                 [&me = self, from = e.from](JobContext job) { return me.launch(job.id, from); });
    }
    void operator()(const core::StartEject& e) {
      self.begin(e.job, [&me = self](JobContext job) { return me.eject(std::move(job)); });
    }
    void operator()(const core::ReleaseDevice& e) {
      self.begin(e.job, [&me = self](JobContext job) {
        return me.done(job.id, {}, core::DeviceUse::released);
      });
    }
    void operator()(const core::StartUpkeep& e) {
      self.begin(e.job, [&me = self, e](JobContext job) { return me.tend(std::move(job), e); });
    }
    void operator()(const core::StartRollback& e) {
      self.begin(e.job, [&me = self, to = e.to](JobContext job) { return me.go_back(job.id, to); });
    }
    void operator()(const core::SaveStranded& e) {
      self.begin(e.job, [&me = self](JobContext job) { return me.save_stranded(job.id); });
    }
    void operator()(const core::Reattach& e) {
      self.begin(e.job, [&me = self](JobContext job) { return me.reattach(job.id); });
    }
    void operator()(const core::GoOnDetached&) { throw std::logic_error("no copies here"); }
    void operator()(const core::PauseGuest&) { self.guest_ = GuestState::paused; }
    void operator()(const core::ResumeGuest&) { self.guest_ = GuestState::running; }
    void operator()(const core::DropSession& e) { self.drop(e); }
    void operator()(const core::Cancel&) {}  // every job has ended before anything else is asked
    void operator()(const core::Tell&) {}
    void operator()(const core::StartCheckpoint& e) {
      self.begin(e.job, [&me = self](JobContext job) { return me.checkpoint(std::move(job)); });
    }
    void operator()(const core::Resolve&) { throw std::logic_error("no such choices here"); }
  };
  std::visit(Performer{*this}, effect);
}

core::Event Computer::failed(JobId job, const Fault& fault) {
  core::JobFailed outcome;
  outcome.reason = core::Reason{fault.what(), fault.next_step()};
  session_ = shelf_.find(capsule_);
  if (session_) outcome.session = core_session(*session_, guest());
  if (stick_ && stick_->is_open() && head_) {
    auto seen = open().examine();
    if (seen.newest) {
      overlook_unrun(parts_, capsule_, seen.newest->head);
      head_ = std::move(*seen.newest);
      outcome.found = found();
    }
  }
  return core::JobEnded{job, std::move(outcome)};
}

core::Event Computer::done(JobId job, std::optional<core::Session> session, core::DeviceUse use) {
  core::Done end;
  if (head_) end.found = found();
  end.session = std::move(session);
  end.device = use;
  if (use == core::DeviceUse::released && stick_) stick_->close();
  return core::JobEnded{job, std::move(end)};
}

void Computer::drop(const core::DropSession& effect) {
  auto& run = truth_.runs.at(effect.session);
  const bool checked_in = run.committing && truth_.nodes.contains(*run.committing);
  if (effect.cause == core::DropCause::checked_in && !checked_in)
    throw std::logic_error("a session is dropped as checked in that is on no device");
  if (effect.cause == core::DropCause::never_ran && run.born)
    throw std::logic_error("a session is dropped as never run that has run");
  if (effect.cause == core::DropCause::discarded && !choosing)
    throw std::logic_error("a session is given up that nobody gave up");
  run.over = true;
  truth_.session_of[number_].reset();
  guest_.reset();
  if (session_->phase == Phase::launching) overlook(effect.session);
  session_.reset();
  shelf_.remove(capsule_);
}

void Computer::overlook(SessionId session) {
  remember_unrun(parts_, capsule_, session);
  truth_.unrun_by[number_] = session;
}

std::optional<DomainEntry> Computer::guest() const {
  if (!guest_ || !session_) return std::nullopt;
  return DomainEntry{session_->domain, session_->domain_name, *guest_, true};
}

format::CapsuleDirectory Computer::open() const {
  return format::CapsuleDirectory::open(stick_->root()->get(), capsule_);
}

core::Found Computer::found() const {
  auto out = found_from(head_->head, parts_.key.public_key().host_id(), seen_, session_);
  if (mistake_ == Mistake::marks_passed_over) out.checked_out.reset();
  if (mistake_ == Mistake::seen_forgotten) out.lacks.reset();
  if (mistake_ == Mistake::checkpoint_forgotten) out.lacks_our_files = false;
  if (mistake_ == Mistake::need_forgotten) out.needed_by.clear();
  if (mistake_ == Mistake::mark_taken_for_ours && out.checked_out && session_)
    out.checked_out->session = session_->session;
  return out;
}

void Computer::note(Noting how) {
  seen_ = seen_after(seen_, head_->head, how);
  store_seen(home_, capsule_, *seen_);
  if (how == Noting::as_ours) truth_.goes_on(number_, head_->head.generation.id);
}

void Computer::record(const format::SignedHead& head, Deed deed, std::optional<SessionId> by,
                      bool insisted) {
  truth_.committed(head.head, deed, by, insisted);
  medium_->tip = head.head.generation.id;
}

}  // namespace satchel::histories
