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

#include "base/fault.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/memory_file.hpp"

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
  const auto stopped = std::make_shared<bool>(false);
  const Readers::Ticket ticket(*parts.readers, parts.loop,
                               {"check",
                                id_,
                                held->insertion(),
                                [stopped, pause] {
                                  *stopped = true;
                                  pause->cancel();
                                },
                                {},
                                Readers::Reads::memory});
  try {
    std::optional<hibernation::PageBaseCheck> check;
    auto opening = offload(parts.lanes.files, [&] {
      check.emplace(memory_check(format::CapsuleDirectory::open(held->root()->get(), head.capsule),
                                 head, of));
    });
    co_await std::move(opening);
    bool more = true;
    while (more && !*stopped) {
      const auto began = std::chrono::steady_clock::now();
      auto reading = offload(parts.lanes.files, [&] { return check->go_on(read_at_once); });
      more = co_await std::move(reading);
      if (*stopped) break;
      boost::system::error_code woken;
      pause->expires_at(began + time_of(read_at_once, parts.config.merge.rate));
      co_await pause->async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    if (!more) held->note_memory_seen(head.find(head.hibernation->map)->digest);
  } catch (const Fault& failure) {
    // A device that was pulled says so by itself.
    if (!held->is_open()) co_return;
    held->distrust_memory(id_);
    parts.log.warning(std::string(failure.what()) +
                      ". The machine runs on from what this computer "
                      "has; its next eject stores all of its memory anew.");
  }
}

}  // namespace satchel
