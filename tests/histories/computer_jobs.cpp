// The jobs of a computer, in the order of the runtime's own and made of its parts.
#include <chrono>
#include <filesystem>
#include <stdexcept>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "histories/computer.hpp"
#include "histories/files.hpp"
#include "runtime/chains.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/check_out.hpp"
#include "runtime/jobs/layers.hpp"
#include "runtime/jobs/roll_back.hpp"
#include "runtime/jobs/shipment.hpp"
#include "runtime/sessions.hpp"

namespace satchel::histories {

namespace {

Run run_of(std::size_t host, GenerationId base) {
  Run out;
  out.host = host;
  out.base = base;
  out.is_off = true;
  return out;
}

}  // namespace

core::Event Computer::examine(JobId job) {
  if (!stick_->is_open()) mount();
  if (!seen_) seen_ = load_seen(home_, capsule_);
  auto seen = open().examine();
  if (!seen.newest) throw std::logic_error("a device holds no complete generation");
  overlook_unrun(parts_, capsule_, seen.newest->head);
  head_ = std::move(*seen.newest);
  note(Noting::if_newer);
  const auto* known = core::session_of(state_);
  if (known != nullptr && core::is_unmarked(*known, found())) {
    auto session = *shelf_.find(capsule_);
    auto capsule = open();
    mark_again(capsule, session);
    note(Noting::if_newer);
    if (!truth_.lacking(number_, medium_->tip)) truth_.goes_on(number_, medium_->tip);
  }
  return core::Examined{job, found()};
}

void Computer::mark_again(format::CapsuleDirectory& capsule, Session& session) {
  const auto newest = capsule.examine().newest;
  auto marked = check_out_again(parts_, capsule, newest->head, session);
  if (!marked) return;
  record(*marked, Deed::check_out, session.session);
  head_ = std::move(*marked);
  step();
  shelf_.save(session);
  session_ = session;
  truth_.stands_on(session.session, session.base);
}

core::Event Computer::launch(JobId job, core::LaunchFrom from) {
  if (from == core::LaunchFrom::session) return reattach(job);
  return launch_anew(job);
}

core::Event Computer::launch_anew(JobId job) {
  auto capsule = open();
  auto seen = capsule.examine();
  if (!seen.newest || seen.newest->head.generation.id != core::found_of(state_)->id)
    throw std::logic_error("what is launched is not what was examined");
  const auto& head = seen.newest->head;
  check_length(head);
  Session session;
  session.capsule = capsule_;
  session.capsule_name = head.name;
  session.session = SessionId(Uuid::random());
  session.domain = DomainId(Uuid::random());
  session.domain_name = head.name;
  session.fs_uuid = "0000-0001";
  session.base = head.generation.id;
  session.base_sequence = head.generation.seq;
  session.phase = Phase::launching;
  session.started = parts_.now();
  session.disk_sequence = stick_->disk_sequence();
  DiskOverlay overlay;
  overlay.target = "vda";
  overlay.path = (shelf_.directory(capsule_) / "vda.qcow2").string();
  overlay.chain = head.disks.front().chain;
  session.disks.push_back(std::move(overlay));
  session_ = session;
  truth_.runs[session.session] = run_of(number_, session.base);
  truth_.session_of[number_] = session.session;
  shelf_.make_directory(capsule_);
  shelf_.save(session);
  put(session.disks.front().path, shop_.empty_overlay);
  step();
  const auto mark_before = head.checked_out;
  head_ = check_out(parts_, capsule, head, session);
  record(*head_, Deed::check_out, session.session);
  step();
  shelf_.save(session);
  truth_.stands_on(session.session, session.base);
  step();
  if (std::exchange(launch_fails_, false)) {
    overlook(session.session);
    check_back_in(parts_, *stick_, session, mark_before);
    head_ = std::move(*open().examine().newest);
    record(*head_, Deed::undone, {});
    shelf_.remove(capsule_);
    truth_.runs.erase(session.session);
    truth_.session_of[number_].reset();
    throw Fault(Remedy::retry, Fault::Text{"launch", head.name, "it was not to be", {}});
  }
  guest_ = GuestState::running;
  session.phase = Phase::running;
  shelf_.save(session);
  auto& run = truth_.runs.at(session.session);
  run.born = true;
  run.is_off = false;
  session_ = session;
  step();
  note(Noting::as_ours);
  return done(job, core_session(session, guest()), core::DeviceUse::kept);
}

/// With the save image or, without one, from the session's disks.
core::Event Computer::reattach(JobId job) {
  auto session = *shelf_.find(capsule_);
  auto seen = open().examine();
  if (!seen.newest || !is_of_session(seen.newest->head, session))
    throw Fault(Remedy::choose, Fault::Text{"go on with", session.capsule_name, "not its", {}});
  follow(session, seen.newest->head);
  truth_.stands_on(session.session, session.base);
  const auto image = std::exchange(session.save_image, std::nullopt);
  session.phase = Phase::running;
  session.disk_sequence = stick_->disk_sequence();
  step();
  shelf_.save(session);
  guest_ = GuestState::running;
  auto& run = truth_.runs.at(session.session);
  run.is_off = false;
  run.ran_on = session.committing.has_value();
  session_ = session;
  if (image) std::filesystem::remove(*image);
  step();
  return done(job, core_session(session, guest()), core::DeviceUse::kept);
}

core::Event Computer::eject(JobContext job) {
  auto session = *shelf_.find(capsule_);
  auto shipment = prepare_shipment(parts_, *stick_, session, what::eject, false, job);
  auto& run = truth_.runs.at(session.session);
  session.base = shipment.newest.head.generation.id;
  session.base_sequence = shipment.newest.head.generation.seq;
  session.committing = shipment.next.generation.id;
  session.phase = Phase::ejecting;
  session.guest_was = GuestWas::running;
  shelf_.save(session);
  session_ = session;
  truth_.stands_on(session.session, session.base);
  run.committing = session.committing;
  run.ran_on = false;
  step();
  auto layers = ship_layers(parts_, shipment, session, *job.meter, job.stop);
  auto committed = commit_shipment(parts_, shipment, session, std::move(layers), *job.meter);
  record(committed, Deed::eject, session.session);
  if (std::exchange(eject_fails_, false)) {
    // The device has it and could not say so: the guest is kept, and runs on once the device says
    // that it does.
    session.phase = Phase::running;
    shelf_.save(session);
    run.ran_on = true;
    step();
    mark_again(shipment.capsule, session);
    throw Fault(Remedy::retry, Fault::Text{"eject", session.capsule_name, "it was not to be", {}});
  }
  step();
  guest_.reset();
  run.is_off = true;
  tidy(parts_, shipment, ByteCount(), std::chrono::milliseconds(0));
  head_ = std::move(committed);
  step();
  note(Noting::as_ours);
  return done(job.id, {}, core::DeviceUse::released);
}

core::Event Computer::save_stranded(JobId job) {
  auto session = *shelf_.find(capsule_);
  if (guest_) {
    session.save_image = saved_guest(parts_, capsule_).string();
    session.phase = Phase::stranded;
    step();
    shelf_.save(session);
    put(*session.save_image, "the guest");
    guest_.reset();
  }
  session_ = session;
  return done(job, core_session(session, guest()), core::DeviceUse::kept);
}

core::Event Computer::go_back(JobId job, Sequence to) {
  head_ = roll_back(parts_, *stick_, capsule_, to);
  truth_.went_back(head_->head, to);
  medium_->tip = head_->head.generation.id;
  step();
  note(Noting::as_ours);
  return core::Examined{job, found()};
}

}  // namespace satchel::histories
