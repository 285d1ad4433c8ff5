// The memory on a device, read beside a running machine where the launch took it from this
// computer's cache instead, or a checkpoint wrote it: an eject refers to it, and may only do so
// when it is right.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/fault.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace asio = boost::asio;

namespace {

constexpr auto read_at_once = mebibytes(4);

/// For how long so much keeps a device busy at this rate; 0: any.
std::chrono::nanoseconds time_of(ByteCount amount, ByteCount rate) {
  if (rate.value == 0) return {};
  return std::chrono::nanoseconds(amount.value * 1'000'000'000 / rate.value);
}

}  // namespace

void CapsuleRunner::check_memory_beside(hibernation::PageBaseCheck::Of of) {
  const auto held = stick();
  if (!held || !head_ || !head_->head.hibernation) return;
  if (held->has_seen_memory(head_->head.find(head_->head.hibernation->map)->digest)) return;
  asio::co_spawn(around_.parts.loop, check_memory(held, head_->head, of), asio::detached);
}

Task<void> CapsuleRunner::check_memory(std::shared_ptr<Stick> held, format::Head head,
                                       hibernation::PageBaseCheck::Of of) {
  const auto self = shared_from_this();
  auto& parts = around_.parts;
  const auto pause = std::make_shared<asio::steady_timer>(parts.loop);
  std::stop_source stopping;
  const Readers::Ticket ticket(
      *parts.readers, parts.loop,
      {"check",
       id_,
       held->insertion(),
       [stopping, pause]() mutable {
         stopping.request_stop();
         pause->cancel();
       },
       {},
       borrows(head) ? Readers::Reads::memory_and_disks : Readers::Reads::memory});
  std::optional<hibernation::PageBaseCheck> check;
  std::string trouble;
  try {
    auto opening = offload(parts.lanes.files, [&] {
      check.emplace(memory_check(format::CapsuleDirectory::open(held->root()->get(), head.capsule),
                                 head, fifo_directory(parts, head.capsule), of,
                                 stopping.get_token()));
    });
    co_await std::move(opening);
    bool more = true;
    while (more && !stopping.stop_requested()) {
      const auto began = std::chrono::steady_clock::now();
      auto reading = offload(parts.lanes.files, [&] { return check->go_on(read_at_once); });
      more = co_await std::move(reading);
      if (stopping.stop_requested()) break;
      boost::system::error_code woken;
      pause->expires_at(began + time_of(read_at_once, parts.config.merge.rate));
      co_await pause->async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    if (!more) held->note_memory_seen(head.find(head.hibernation->map)->digest);
  } catch (const Fault& failure) {
    trouble = failure.what();
  }
  // Whoever reads the disks is waited for, which is not for this thread.
  auto closing = offload(parts.lanes.files, [&] { check.reset(); });
  co_await std::move(closing);
  // A device that was pulled says so by itself.
  if (trouble.empty() || stopping.stop_requested() || !held->is_open()) co_return;
  held->distrust_memory(id_);
  parts.log.warning(trouble +
                    ". The machine runs on from what this computer "
                    "has; its next eject stores all of its memory anew.");
}

}  // namespace satchel
