// The memory on a device, read beside a running machine where the launch took it from this
// computer's cache instead, or a checkpoint wrote it: an eject refers to it, and may only do so
// when it is right.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/fault.hpp"
#include "runtime/beside_reading.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace asio = boost::asio;

void CapsuleRunner::check_memory_beside() {
  const auto held = stick();
  if (!held || !head_ || !head_->head.hibernation) return;
  if (held->has_seen_memory(head_->head.find(head_->head.hibernation->map)->digest)) return;
  asio::co_spawn(around_.parts.loop, check_memory(held, head_->head), asio::detached);
}

Task<void> CapsuleRunner::check_memory(std::shared_ptr<Stick> held, format::Head head) {
  using Of = hibernation::PageBaseCheck::Of;
  const auto self = shared_from_this();
  const auto& map = head.find(head.hibernation->map)->digest;
  const auto of = held->has_seen_base(map) ? Of::own : Of::all_segments;
  auto& parts = around_.parts;
  std::string trouble;
  {
    BesideReading reading(
        parts, "check", id_, held->insertion(),
        borrows(head) ? Readers::Reads::memory_and_disks : Readers::Reads::memory);
    std::optional<hibernation::PageBaseCheck> check;
    try {
      auto opening = offload(parts.lanes.files, [&] {
        check.emplace(
            memory_check(format::CapsuleDirectory::open(held->root()->get(), head.capsule), head,
                         fifo_directory(parts, head.capsule), of, reading.stop()));
      });
      co_await std::move(opening);
      auto going = reading.run([&](ByteCount amount) { return check->go_on(amount); });
      const bool whole = co_await std::move(going);
      if (whole) held->note_memory_seen(map);
    } catch (const Fault& failure) {
      trouble = failure.what();
    }
    // Whoever reads the disks is waited for, which is not for this thread.
    auto closing = offload(parts.lanes.files, [&] { check.reset(); });
    co_await std::move(closing);
    if (reading.is_stopped()) co_return;
  }
  keep_disks_beside();
  look_at_upkeep();  // a compaction waits for this
  // A device that was pulled says so by itself, and memory that was written anew meanwhile is not
  // needed.
  const auto* now = head_ && head_->head.hibernation ? &head_->head : nullptr;
  const bool is_needed = now != nullptr && now->find(now->hibernation->map)->digest == map;
  if (trouble.empty() || !held->is_open() || !is_needed) co_return;
  held->distrust_memory(id_);
  parts.log.warning(trouble +
                    ". The machine runs on from what this computer "
                    "has; its next eject stores all of its memory anew.");
}

}  // namespace satchel
