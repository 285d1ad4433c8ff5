#include "runtime/jobs/checkpoint.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "base/host_fault.hpp"
#include "disk/qemu_img.hpp"
#include "hibernation/cell_tags.hpp"
#include "runtime/chains.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/layers.hpp"
#include "runtime/jobs/machine_now.hpp"
#include "runtime/jobs/second_copy.hpp"
#include "runtime/jobs/shipment.hpp"
#include "runtime/jobs/suspension.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t copied_at_once = 1U << 20;

/// A checkpoint on its way; lives in the coroutine.
struct Checkpoint {
  Parts& parts;
  std::shared_ptr<Stick> stick;
  Session before;  ///< as it was when the snapshot was begun: what is shipped
  Session session;
  Shipment shipment;
  MemoryTags::Tags tags;  ///< of the memory before, and of this one's; or none
  Maker maker{};
  std::shared_ptr<Rescue> copy{};
  std::optional<std::string> nvram{};  ///< the firmware's variables as they were at the snapshot
};

void refuse_unmarked(const Shipment& shipment, const Session& session) {
  const auto& mark = shipment.newest.head.checked_out;
  if (mark && mark->session == session.session) return;
  throw Fault(Remedy::retry, Fault::Text{"write a checkpoint of", session.capsule_name,
                                         "an eject of it did not come to its end",
                                         "Eject it: after that it can have checkpoints again."});
}

/// A name in the session's directory that no overlay of the disk has or had.
std::string next_overlay(const DiskOverlay& disk) {
  const auto directory = fs::path(disk.path).parent_path();
  for (int number = 1;; ++number) {
    auto path = (directory / (disk.target + "-" + std::to_string(number) + ".qcow2")).string();
    if (!fs::exists(fs::symlink_status(path))) return path;
  }
}

/// Makes the overlays that the guest is to write to from the snapshot on. The journal names them
/// first: as long as they are empty, with them or without is the same.
std::vector<Hypervisor::Overlay> add_overlays(Checkpoint& at) {
  std::vector<Hypervisor::Overlay> out;
  for (auto& disk : at.session.disks) {
    auto path = next_overlay(disk);
    on_host([&] {
      disk::create_overlay({path, disk::virtual_size({disk.path, "qcow2"}), file_name(disk.path)});
    });
    disk.frozen.push_back(std::exchange(disk.path, path));
    out.push_back({disk.target, std::move(path)});
  }
  at.parts.shelf.save(at.session);
  return out;
}

/// After a snapshot that failed: as before, unless the guest has the new overlays all the same, or
/// nobody can tell. A libvirt that was killed within it does not know what its guest has.
Task<void> take_back(Checkpoint& at) {
  auto describing = at.parts.hypervisor.describe(at.session.domain.value.str());
  const auto domain = co_await std::move(describing);
  if (!domain || domain->live.empty()) co_return;
  for (const auto& disk : at.session.disks)
    if (domain->live.find(disk.path) != std::string::npos) co_return;
  auto removing = offload(at.parts.lanes.files, [&] {
    const auto& disks = at.session.disks;
    if (!std::ranges::all_of(disks, [](const auto& disk) { return disk::is_free(disk.path); }))
      return false;
    at.parts.shelf.save(at.before);
    for (const auto& disk : disks) fs::remove(disk.path);
    return true;
  });
  if (co_await std::move(removing)) at.session = at.before;
}

/// The firmware's variables as they are while the guest stands still.
void copy_nvram(Checkpoint& at) {
  if (!at.session.nvram) return;
  at.nvram = *at.session.nvram + ".checkpoint";
  fs::copy_file(*at.session.nvram, *at.nvram, fs::copy_options::overwrite_existing);
}

Fault stopped(const Checkpoint& at) {
  return Fault(Remedy::retry,
               Fault::Text{"write a checkpoint of", at.session.capsule_name, "it was stopped", {}});
}

/// Takes memory and disks at one instant; the guest runs on when this returns.
Task<hibernation::EncodedPages> take(Checkpoint& at, JobContext job) {
  auto noting = note_machine(at.parts, at.session, at.shipment.next);
  at.maker = co_await std::move(noting);
  auto beginning = offload(at.parts.lanes.files, [&] {
    at.copy = begin_rescue(at.parts, at.stick, at.session, at.shipment);
    at.copy->require();
    return add_overlays(at);
  });
  auto overlays = co_await std::move(beginning);
  if (job.stop.stop_requested()) {
    // QEMU need not give anything away.
    auto taking_back = take_back(at);
    co_await std::move(taking_back);
    throw stopped(at);
  }
  Suspension snapshot(at.parts, at.session.domain, fifo_directory(at.parts, at.session.capsule),
                      job.stop, at.copy, std::move(overlays));
  std::exception_ptr failure;
  try {
    auto shipping = snapshot.ship_here(at.shipment.next.generation.seq, std::move(at.shipment.base),
                                       job.meter->begin("reading memory"));
    auto encoded = co_await std::move(shipping);
    auto copying = offload(at.parts.lanes.files, [&] { copy_nvram(at); });
    co_await std::move(copying);
    auto letting = snapshot.let_go();
    co_await std::move(letting);
    if (!at.stick->is_open()) {
      // Paused before libvirt looked, as its device is gone, it is not let run: QEMU has let go of
      // all.
      auto holding = keep_for_stuck_guest(at.parts, at.before, *at.copy);
      co_await std::move(holding);
    }
    at.copy->forget_stand_in();
    co_return std::move(encoded);
  } catch (...) {
    failure = std::current_exception();
  }
  auto keeping = snapshot.keep_guest();
  co_await std::move(keeping);
  auto holding = keep_for_stuck_guest(at.parts, at.before, *at.copy);
  co_await std::move(holding);
  auto taking_back = take_back(at);
  co_await std::move(taking_back);
  std::rethrow_exception(failure);
}

/// The memory, from this computer's copy to the device. Files lane.
void ship_memory(Checkpoint& at, hibernation::EncodedPages encoded, const ProgressSink& progress,
                 std::stop_token stop) {
  auto& shipment = at.shipment;
  const auto number = shipment.next.generation.seq.value;
  const auto size = encoded.segments.front().size;
  auto pages = shipment.capsule.create_object(pages_object(number));
  std::vector<std::byte> block(copied_at_once);
  std::uint64_t done = 0;
  while (done < size.value) {
    const auto n =
        ::pread(at.copy->own(), block.data(),
                std::min<std::uint64_t>(block.size(), size.value - done), static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw host_fault_from_errno(n < 0 ? errno : EIO, "read", "the copy of the memory");
    pages.write(std::span(block).first(static_cast<std::size_t>(n)));
    done += static_cast<std::uint64_t>(n);
    if (progress) progress({"writing memory", ByteCount(done), size});
    shipment.written(static_cast<std::size_t>(n), stop);
    if (stop.stop_requested()) throw stopped(at);
  }
  auto stored = pages.finish();
  auto map =
      store_bytes(shipment.capsule, encoded.map, "memory/" + std::to_string(number) + ".map");
  shipment.segments = encoded.segments;
  set_hibernation(shipment.next, {std::move(stored), std::move(map), encoded.stream_size,
                                  at.maker.accelerator, std::move(at.maker.emulator),
                                  GuestState::running, earlier_segments(encoded), encoded.codec()});
}

/// The device holds what the frozen overlays do: they are the session's no more, only the guest's
/// that runs.
void note_shipped(Checkpoint& at, const format::Head& committed) {
  for (auto& disk : at.session.disks) disk.frozen.clear();
  at.session.checkpointed = committed.generation.seq;
  at.session.checkpoint = committed.generation.id;
  follow(at.session, committed);
  at.parts.shelf.save(at.session);
  if (at.nvram) fs::remove(*at.nvram);
}

/// So that a guest with many checkpoints does not read through as many files. Whatever becomes of
/// it, the checkpoint stands.
Task<void> shorten(Checkpoint& at, std::stop_token stop) {
  for (std::size_t i = 0; i < at.session.disks.size(); ++i) {
    std::string trouble;
    try {
      const auto& disk = at.session.disks[i];
      auto merging = at.parts.hypervisor.merge_snapshots(
          at.session.domain, disk.target, fs::path(disk.path).parent_path().string(), stop);
      const auto merged = co_await std::move(merging);
      auto removing = offload(at.parts.lanes.files, [&] {
        for (const auto& file : merged) fs::remove(file);
      });
      co_await std::move(removing);
    } catch (const std::exception& failure) {
      trouble = failure.what();
    }
    if (!trouble.empty() && !stop.stop_requested())
      at.parts.log.warning(trouble + "; it is tried again after the next checkpoint");
  }
}

}  // namespace

Task<Checkpointed> checkpoint(Parts& parts, CheckpointOrder order, JobContext job) {
  const auto began = std::chrono::steady_clock::now();
  job.meter->name("checking the device");
  auto session = std::move(order.session);
  // An eject of it may have failed; it runs, and what is saved from here on says so.
  session.phase = Phase::running;
  auto preparing = offload(parts.lanes.files, [&] {
    auto shipment = prepare_shipment(parts, *order.stick, session, what::checkpoint, true, job);
    refuse_unmarked(shipment, session);
    // A machine that was booted has none.
    if (!shipment.base.tags)
      shipment.base.tags =
          begin_tags(parts, session.capsule, expected_bytes(shipment, session, true));
    return shipment;
  });
  auto prepared = co_await std::move(preparing);
  prepared.pace = order.pace;
  prepared.next.checked_out = prepared.newest.head.checked_out;
  job.meter->expect(expected_bytes(prepared, session, true));
  const auto tags = prepared.base.tags;
  Checkpoint at{parts, order.stick, session, session, std::move(prepared), tags};

  auto taking = take(at, job);
  auto encoded = co_await std::move(taking);
  auto shipping = offload(parts.lanes.files, [&] {
    ship_memory(at, std::move(encoded), job.meter->begin("writing memory"), job.stop);
    auto shipped = at.before;
    shipped.nvram = at.nvram;
    auto layers = ship_layers(parts, at.shipment, shipped, *job.meter, job.stop);
    auto head = commit_shipment(parts, at.shipment, shipped, std::move(layers), *job.meter);
    note_shipped(at, head.head);
    return head;
  });
  auto head = co_await std::move(shipping);
  Checkpointed result{at.session, std::move(head), {}, {}};
  result.written = new_bytes(result.head.head, at.shipment.newest.head);
  result.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  auto tidying = offload(parts.lanes.files, [&] {
    if (at.tags) at.tags->keep_only(at.shipment.segments);
    parts.tags->keep(at.session.capsule, at.tags);
    keep_here(parts, at.shipment, *at.copy, result.head.head);
    tidy(parts, at.shipment, result.written, result.took);
  });
  co_await std::move(tidying);
  auto shortening = shorten(at, job.stop);
  co_await std::move(shortening);
  co_return result;
}

}  // namespace satchel
