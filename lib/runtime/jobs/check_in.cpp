#include "runtime/jobs/check_in.hpp"

#include <chrono>
#include <filesystem>
#include <optional>

#include "base/fault.hpp"
#include "runtime/chains.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/machine_now.hpp"
#include "runtime/jobs/second_copy.hpp"
#include "runtime/jobs/shipment.hpp"
#include "runtime/jobs/suspension.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

Task<SavedMemory> ship_memory(Parts& parts, Suspension& suspension, Shipment& shipment, Maker maker,
                              GuestState before, ProgressSink progress) {
  const auto number = shipment.next.generation.seq;
  auto shipping =
      suspension.ship(shipment.capsule, number, std::move(shipment.base), std::move(progress));
  auto shipped = co_await std::move(shipping);
  auto storing = offload(parts.lanes.files, [&] {
    return store_bytes(shipment.capsule, shipped.encoded.map,
                       "memory/" + std::to_string(number.value) + ".map");
  });
  auto map = co_await std::move(storing);
  shipment.segments = shipped.encoded.segments;
  SavedMemory saved{std::move(shipped.pages),         std::move(map),
                    shipped.encoded.stream_size,      maker.accelerator,
                    std::move(maker.emulator),        before,
                    earlier_segments(shipped.encoded)};
  co_return saved;
}

bool is_lost(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Fault& fault) {
    return fault.remedy() == Remedy::replug;
  } catch (const std::exception&) {
    return false;
  }
}

/// The guest that can't go on without its device, from its second copy into the session's
/// directory. False when there is no such need or copy: it is to be kept as it is.
Task<bool> save_here(Parts& parts, const CheckInOrder& order, Session& session,
                     Suspension& suspension, const Rescue& rescue, std::exception_ptr failure) {
  if (!rescue.is_whole() || !(is_lost(failure) || !order.stick->is_open())) co_return false;
  const auto image = saved_guest(parts, session.capsule);
  try {
    auto saving = offload(parts.lanes.files, [&] {
      rescue.make_save_image(image, worker_threads(parts.config));
      session.save_image = image.string();
      session.phase = Phase::stranded;
      parts.shelf.save(session);
    });
    co_await std::move(saving);
  } catch (const std::exception& trouble) {
    // Whatever it was: the suspension has to be ended one way or the other.
    session.save_image.reset();
    parts.log.warning(std::string(trouble.what()) + "; trying to keep the guest in memory");
    co_return false;
  }
  auto ending = suspension.end_guest(session.capsule_name, "saved on this computer");
  co_await std::move(ending);
  co_return true;
}

}  // namespace

Task<CheckedIn> check_in(Parts& parts, CheckInOrder order, JobContext job) {
  const auto began = std::chrono::steady_clock::now();
  auto session = order.session;
  auto finding = parts.hypervisor.find(session.domain);
  const auto guest = co_await std::move(finding);
  const bool with_memory = is_alive(guest);

  job.meter->name("checking the device");
  auto preparing = offload(parts.lanes.files, [&] {
    return prepare_shipment(parts, *order.stick, session, what::eject, with_memory, job);
  });
  auto shipment = co_await std::move(preparing);
  job.meter->expect(expected_bytes(shipment, session, with_memory));
  session.base = shipment.newest.head.generation.id;
  session.base_sequence = shipment.newest.head.generation.seq;
  session.committing = shipment.next.generation.id;
  session.phase = Phase::ejecting;
  session.guest_was =
      guest && guest->state == GuestState::paused ? GuestWas::paused : GuestWas::running;
  auto noting = offload(parts.lanes.files, [&] { parts.shelf.save(session); });
  co_await std::move(noting);

  std::shared_ptr<Rescue> rescue;
  std::optional<Suspension> suspension;
  std::optional<format::SignedHead> committed;
  std::exception_ptr failure;
  try {
    if (with_memory) {
      auto noting_machine = note_machine(parts, session, shipment.next);
      auto maker = co_await std::move(noting_machine);
      auto copying =
          offload(parts.lanes.files, [&] { return begin_rescue(parts, order.stick, shipment); });
      rescue = co_await std::move(copying);
      suspension.emplace(parts, session.domain, fifo_directory(parts, session.capsule), job.stop,
                         rescue);
      auto shipping = ship_memory(parts, *suspension, shipment, std::move(maker), guest->state,
                                  job.meter->begin("writing memory"));
      auto memory = co_await std::move(shipping);
      set_hibernation(shipment.next, std::move(memory));
      if (!rescue->is_kept())
        parts.log.warning(session.capsule_name + " has no second copy here while it is written (" +
                          rescue->trouble() + "): don't pull the device");
    }
    auto committing = offload(parts.lanes.files, [&] {
      return ship_rest_and_commit(parts, shipment, session, *job.meter, job.stop);
    });
    committed = co_await std::move(committing);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!committed) {
    bool saved = false;
    if (suspension) {
      auto saving = save_here(parts, order, session, *suspension, *rescue, failure);
      saved = co_await std::move(saving);
    }
    if (suspension && !saved) {
      auto keeping = suspension->keep_guest();
      co_await std::move(keeping);
      // It runs on: what the device may hold all the same is not the whole of it any more.
      session.phase = Phase::running;
      auto noting_guest = offload(parts.lanes.files, [&] { parts.shelf.save(session); });
      co_await std::move(noting_guest);
    }
    std::rethrow_exception(failure);
  }

  job.meter->name("letting the machine go");
  if (suspension) {
    auto ending = suspension->end_guest(session.capsule_name, "on its device");
    co_await std::move(ending);
  }
  CheckedIn result{std::move(*committed), {}, {}};
  result.written = new_bytes(result.head.head, shipment.newest.head);
  result.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  auto tidying = offload(parts.lanes.files, [&] {
    if (rescue) keep_here(parts, shipment, *rescue, result.head.head);
    tidy(parts.log, shipment, result.written, result.took);
  });
  co_await std::move(tidying);
  co_return result;
}

}  // namespace satchel
