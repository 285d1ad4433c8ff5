// Checkpoints of one capsule: the job, and when one is due by itself.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/host_room.hpp"
#include "runtime/jobs/checkpoint.hpp"
#include "runtime/jobs/open_session.hpp"
#include "runtime/messages.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace asio = boost::asio;

namespace {

/// Between two looks at a guest that writes, and at one that has hardly written since the last.
constexpr std::chrono::steady_clock::duration soon = std::chrono::minutes(1);
constexpr std::chrono::steady_clock::duration later = std::chrono::minutes(5);
constexpr std::uint64_t hardly = 1U << 20;  ///< bytes
/// So many overlays that a checkpoint froze and could not ship: each one more is one more file that
/// the guest's reads go through.
constexpr std::size_t most_unshipped = 4;

std::size_t unshipped(const Session& session) {
  std::size_t most = 0;
  for (const auto& disk : session.disks) most = std::max(most, disk.frozen.size());
  return most;
}

/// Whether what a generation holds of the memory was read, as it is on the device, in this
/// insertion.
bool has_read_memory(const Stick& stick, const format::Head& head) {
  return head.hibernation && stick.has_seen_memory(head.find(head.hibernation->map)->digest);
}

/// What the guest wrote since the session's last checkpoint was begun, or in all.
ByteCount written_by(const Session& session) {
  std::vector<std::string> files;
  for (const auto& disk : session.disks) files.push_back(disk.path);
  return allocated(files);
}

}  // namespace

Task<core::Event> CapsuleRunner::checkpoint(JobContext job, core::Requester by) {
  auto& parts = around_.parts;
  auto ending = parts.readers->end_of(id_);
  co_await std::move(ending);
  auto opening = open_session(parts, id_, name_, "write a checkpoint of");
  auto session = co_await std::move(opening);
  const auto held = stick();
  auto emptying = parts.readers->end_filling(held->insertion());
  co_await std::move(emptying);
  pace_ = std::make_shared<Pace>(by == core::Requester::policy ? parts.config.checkpoint.rate
                                                               : ByteCount());
  checkpointed_ = std::chrono::steady_clock::now();
  const auto before = *head_;
  auto making = satchel::checkpoint(parts, {held, std::move(session), pace_}, job);
  auto done = co_await std::move(making);
  around_.devices.note_write(held->insertion(), done.written, done.took);
  session_ = std::move(done.session);
  head_ = std::move(done.head);
  auto noting = note_seen(Noting::as_ours);
  co_await std::move(noting);
  tell_outcome({"checkpoint", "checkpoint written to", {}, {}, done.written, done.took});
  if (has_read_memory(*held, before.head))
    held->note_base_seen(head_->head.find(head_->head.hibernation->map)->digest);
  check_memory_beside();
  core::Done result;
  result.found = found_in(*head_);
  auto asking = core_session_now(parts, *session_);
  result.session = co_await std::move(asking);
  co_return core::JobEnded{job.id, std::move(result)};
}

void CapsuleRunner::watch_for_checkpoints() {
  const auto& wanted = around_.parts.config.checkpoint;
  if (watching_ || (wanted.every.count() == 0 && wanted.size.value == 0)) return;
  watching_ = true;
  checkpointed_ = std::chrono::steady_clock::now();
  asio::co_spawn(around_.parts.loop, watch(), asio::detached);
}

Task<void> CapsuleRunner::watch() {
  const auto self = shared_from_this();
  auto& parts = around_.parts;
  asio::steady_timer beat(parts.loop);
  const std::chrono::steady_clock::duration every = parts.config.checkpoint.every;
  auto pause = every.count() > 0 ? std::min(soon, every) : soon;
  bool told = false;
  ByteCount seen;
  while (core::session_of(state_) != nullptr) {
    beat.expires_after(pause);
    boost::system::error_code woken;
    co_await beat.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    if (woken) break;
    const auto* running = std::get_if<core::Running>(&state_);
    if (running == nullptr || running->session.guest != core::Guest::runs || !session_) continue;
    const auto& wanted = parts.config.checkpoint;
    const auto since = std::chrono::steady_clock::now() - checkpointed_;
    const bool gave_up = unshipped(*session_) >= most_unshipped;
    if (gave_up && !std::exchange(told, true))
      parts.log.warning(
          name_ +
          ": the last checkpoints could not be written to its device; there are no more by "
          "themselves until one that you ask for could. An eject writes all");
    if (gave_up) continue;
    told = false;
    bool due = wanted.every.count() > 0 && since >= wanted.every;
    pause = wanted.size.value > 0 ? soon : later;
    if (!due && wanted.size.value > 0) {
      try {
        auto looking =
            offload(parts.lanes.files, [session = *session_] { return written_by(session); });
        const auto written = co_await std::move(looking);
        due = written >= wanted.size;
        if (written.value < seen.value + hardly && written.value >= seen.value) pause = later;
        seen = written;
      } catch (const Fault& failure) {
        // The session may have ended meanwhile.
        if (core::session_of(state_) != nullptr) parts.log.warning(failure.what());
      }
    }
    if (every.count() > 0) pause = std::min(pause, every > since ? every - since : every);
    if (due) deliver(core::CheckpointDue{});
  }
  watching_ = false;
}

}  // namespace satchel
