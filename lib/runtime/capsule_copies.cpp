// The disks of a capsule that is at home here, copied to this computer while its machine runs, and
// the machine that goes on with them where its device is gone.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/beside_reading.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/disk_fill.hpp"
#include "runtime/jobs/reattach.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace asio = boost::asio;

void CapsuleRunner::keep_disks_beside() {
  const auto* running = std::get_if<core::Running>(&state_);
  auto& parts = around_.parts;
  if (running == nullptr || !head_ || !parts.disks->may_keep(id_, home_)) return;
  const auto& head = head_->head;
  if (keeps_ == head.generation.id || keeps_in_vain_ == head.generation.id) return;
  // An eject that failed after its commit left another generation than the one that runs.
  if (!head.checked_out || head.checked_out->session != running->session.id) return;
  // One after the other: a stick is slow at two things at once.
  if (parts.readers->is_doing("check", id_) || parts.readers->is_doing("keep", id_)) return;
  const auto held = around_.devices.stick(running->device);
  if (!held || !held->is_open()) return;
  asio::co_spawn(parts.loop, keep_disks(held, head.generation.id), asio::detached);
}

Task<void> CapsuleRunner::keep_disks(std::shared_ptr<Stick> held, GenerationId generation) {
  const auto self = shared_from_this();
  auto& parts = around_.parts;
  BesideReading reading(parts, "keep", id_, held->insertion(), Readers::Reads::memory_and_disks);
  std::optional<DiskFill> fill;
  auto left = DiskFill::Left::more;
  try {
    auto opening = offload(parts.lanes.files, [&] {
      fill.emplace(*parts.disks, format::CapsuleDirectory::open(held->root()->get(), id_),
                   generation);
    });
    co_await std::move(opening);
    auto going = reading.run([&](ByteCount amount) {
      left = fill->go_on(amount);
      return left == DiskFill::Left::more;
    });
    co_await std::move(going);
  } catch (const Fault& failure) {
    if (reading.is_stopped() || !held->is_open()) co_return;
    parts.log.warning(std::string(failure.what()) + "; no copy of " + name_ + "'s disks is kept");
    keeps_in_vain_ = generation;
  }
  auto closing = offload(parts.lanes.files, [&] { fill.reset(); });
  co_await std::move(closing);
  switch (left) {
    case DiskFill::Left::more:
      break;  // stopped: it goes on from here another time
    case DiskFill::Left::nothing:
      keeps_ = generation;
      parts.log.debug(name_ + ": all of its disks are kept here");
      around_.changed();
      break;
    case DiskFill::Left::no_room:
      keeps_in_vain_ = generation;
      parts.log.debug(name_ + ": its disks are larger than what may be kept here (cache.disks)");
      break;
    case DiskFill::Left::not_as_stated:
      keeps_in_vain_ = generation;
      parts.log.debug(name_ + ": its disks are copied when they have been merged");
      break;
  }
}

Task<void> CapsuleRunner::keep_same_disks(GenerationId of, std::shared_ptr<Stick> held) {
  if (keeps_ != of) co_return;
  auto& parts = around_.parts;
  try {
    auto noting = offload(parts.lanes.files, [&] {
      auto capsule = format::CapsuleDirectory::open(held->root()->get(), id_);
      parts.disks->complete(head_->head, capsule.newest_head());
    });
    co_await std::move(noting);
    keeps_ = head_->head.generation.id;
  } catch (const Fault& failure) {
    parts.log.debug(std::string(failure.what()) + "; the copies of " + name_ +
                    "'s disks are looked at anew");
    keeps_.reset();
  }
}

Task<void> CapsuleRunner::look_at_kept() {
  const auto self = shared_from_this();
  auto& parts = around_.parts;
  try {
    auto looking = offload(parts.lanes.files, [&parts, id = id_] { return parts.disks->kept(id); });
    const auto head = co_await std::move(looking);
    keeps_.reset();
    if (head) keeps_ = head->generation.id;
  } catch (const Fault& failure) {
    parts.log.debug(std::string(failure.what()) + "; no disks of " + name_ + " are kept here");
  }
  around_.changed();
}

void CapsuleRunner::copies_dropped() {
  keeps_.reset();
  keeps_in_vain_.reset();
  around_.changed();
}

bool CapsuleRunner::has_its_copies() const {
  const auto* stranded = std::get_if<core::Stranded>(&state_);
  return stranded != nullptr && !core::job_of(*stranded) && session_ && keeps_ == session_->base;
}

bool CapsuleRunner::can_go_on_detached() const {
  return has_its_copies() && !core::may_be_ejected(*core::session_of(state_));
}

Task<core::Event> CapsuleRunner::go_on_detached(JobContext job, core::LaunchFrom from) {
  const auto start =
      from == core::LaunchFrom::session ? machine::Start::boot : machine::Start::resume;
  auto going_on = with_copies(satchel::go_on_detached(around_.parts, id_, start, job));
  session_ = co_await std::move(going_on);
  auto asking = core_session_now(around_.parts, *session_);
  core::Done done;
  done.session = co_await std::move(asking);
  co_return core::JobEnded{job.id, std::move(done)};
}

}  // namespace satchel
