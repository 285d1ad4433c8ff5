#include "runtime/jobs/check_in.hpp"

#include <chrono>
#include <filesystem>
#include <optional>

#include "base/fault.hpp"
#include "runtime/chains.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/check_out.hpp"
#include "runtime/jobs/layers.hpp"
#include "runtime/jobs/machine_now.hpp"
#include "runtime/jobs/overlay_stamps.hpp"
#include "runtime/jobs/second_copy.hpp"
#include "runtime/jobs/shipment.hpp"
#include "runtime/jobs/suspension.hpp"
#include "runtime/jobs/written_pages.hpp"
#include "runtime/last_write.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

Task<SavedMemory> ship_memory(Parts& parts, Suspension& suspension, Shipment& shipment,
                              Lending& lending, Maker maker, GuestState before,
                              ProgressSink progress) {
  const auto number = shipment.next.generation.seq;
  auto shipping = suspension.ship(
      shipment.capsule, number, std::move(shipment.base),
      [&lending](const ContentKey& key, std::stop_token stop) { return lending.lend(key, stop); },
      std::move(progress));
  auto shipped = co_await std::move(shipping);
  auto storing = offload(parts.lanes.files, [&] {
    return store_bytes(shipment.capsule, shipped.encoded.map,
                       "memory/" + std::to_string(number.value) + ".map");
  });
  auto map = co_await std::move(storing);
  shipment.segments = shipped.encoded.segments;
  SavedMemory saved{std::move(shipped.pages),          std::move(map),
                    shipped.encoded.stream_size,       maker.accelerator,
                    std::move(maker.emulator),         before,
                    earlier_segments(shipped.encoded), shipped.encoded.codec()};
  co_return saved;
}

/// The guest stands still: what is written to its files after this is not in the commit that comes
/// now. Without this note nobody would know of a guest that runs on after a daemon that is killed
/// right there, and ends before the next one.
void note_standstill(Parts& parts, Session& session) {
  session.written = last_write(session);
  parts.shelf.save(session);
}

/// Those of a guest that is off: somebody may start it meanwhile, and what it writes then would be
/// in no layer.
Task<ShippedLayers> ship_disks(Parts& parts, Shipment& shipment, const Session& session,
                               bool stands_still, const JobContext& job) {
  auto writing = offload(parts.lanes.files, [&] {
    const OverlayStamps before(session);
    auto layers = ship_layers(parts, shipment, session, *job.meter, job.stop);
    const bool unwritten = stands_still || before.are_unwritten();
    return std::pair(std::move(layers), unwritten);
  });
  auto written = co_await std::move(writing);
  bool is_as_it_was = written.second;
  if (!stands_still) {
    auto finding = find_guest(parts, session);
    const auto guest = co_await std::move(finding);
    is_as_it_was = is_as_it_was && !is_alive(guest);
  }
  if (!is_as_it_was)
    throw Fault(Remedy::retry, Fault::Text{"eject", session.capsule_name,
                                           "it was started while its disks were written",
                                           "It stays as it is. Eject it again."});
  co_return std::move(written.first);
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
  if (co_await std::move(ending) != Suspension::Left::a_guest) co_return true;
  session.save_image.reset();
  co_return false;
}

/// The session goes on, and its guest if there is one. What the device may hold all the same need
/// not be the whole of it, or stay there, and a device that holds it must not say that the session
/// has ended. Throws nothing: there may be a guest to be let run.
Task<void> go_on(Parts& parts, const CheckInOrder& order, Session& session, bool device_is_lost) {
  session.phase = Phase::running;
  try {
    auto noting = offload(parts.lanes.files, [&] {
      parts.shelf.save(session);
      if (device_is_lost || !order.stick->is_open()) return;
      auto capsule = format::CapsuleDirectory::open(order.stick->root()->get(), session.capsule);
      const auto seen = capsule.examine();
      if (seen.newest && check_out_again(parts, capsule, seen.newest->head, session))
        parts.shelf.save(session);
    });
    co_await std::move(noting);
  } catch (const std::exception& trouble) {
    parts.log.warning(std::string(trouble.what()) + "; " + session.capsule_name +
                      " goes on, and its device is told so when it is read next");
  }
}

/// Why an eject fails whose commit is on the device.
Fault not_ended(const Session& session, Suspension::Left left) {
  if (left == Suspension::Left::a_guest)
    return Fault(Remedy::retry,
                 Fault::Text{"eject", session.capsule_name,
                             "libvirt did not end the machine when it was saved",
                             "It goes on running here, checked out. Eject it again."});
  return Fault(
      Remedy::retry,
      Fault::Text{"eject", session.capsule_name,
                  "libvirt went away before it said that the machine has ended",
                  "The device holds it; when libvirt is there again, it is known whether it "
                  "went on here. Do not use the device elsewhere before that."});
}

/// What is left to do on a device that holds the session. Whatever fails, the eject has succeeded.
Task<void> finish(Parts& parts, Shipment& shipment, const Rescue* rescue, const CheckedIn& done) {
  try {
    auto tidying = offload(parts.lanes.files, [&] {
      if (rescue) keep_here(parts, shipment, *rescue, done.head.head);
      tidy(parts, shipment, done.written, done.took);
    });
    co_await std::move(tidying);
  } catch (const std::exception& trouble) {
    parts.log.warning(std::string(trouble.what()) + "; the machine is on its device all the same");
  }
}

}  // namespace

Task<CheckedIn> check_in(Parts& parts, CheckInOrder order, JobContext job) {
  const auto began = std::chrono::steady_clock::now();
  auto session = order.session;
  auto finding = find_guest(parts, session);
  const auto guest = co_await std::move(finding);
  const bool with_memory = is_alive(guest);

  if (!with_memory && guest && guest->has_saved_memory)
    throw memory_kept("eject", session.capsule_name, *guest, WhoStarts::us);
  if (!with_memory && session.save_image)
    throw Fault(Remedy::fix_request,
                Fault::Text{"eject", session.capsule_name,
                            "its memory is saved on this computer, and would be left behind",
                            "Launch it, so that it goes on from there, and eject it then."});
  job.meter->name("checking the device");
  auto preparing = offload(parts.lanes.files, [&] {
    return prepare_shipment(parts, *order.stick, session, what::eject, with_memory, job);
  });
  auto shipment = co_await std::move(preparing);
  job.meter->expect(expected_bytes(shipment, session, with_memory));
  session.base = shipment.newest.head.generation.id;
  session.base_sequence = shipment.newest.head.generation.seq;
  session.committing = shipment.next.generation.id;
  session.written.reset();
  session.phase = Phase::ejecting;
  session.guest_was =
      guest && guest->state == GuestState::paused ? GuestWas::paused : GuestWas::running;
  auto noting = offload(parts.lanes.files, [&] { parts.shelf.save(session); });
  co_await std::move(noting);

  std::shared_ptr<Rescue> rescue;
  std::optional<Suspension> suspension;
  std::optional<LayersBeside> beside;
  Lending lending(parts, session, shipment.next);
  std::optional<ShippedLayers> layers;
  std::optional<format::SignedHead> committed;
  std::exception_ptr failure;
  try {
    if (with_memory) {
      auto noting_machine = note_machine(parts, session, shipment.next);
      auto maker = co_await std::move(noting_machine);
      auto copying = offload(parts.lanes.files,
                             [&] { return begin_rescue(parts, order.stick, session, shipment); });
      rescue = co_await std::move(copying);
      suspension.emplace(parts, session.domain, fifo_directory(parts, session.capsule), job.stop,
                         rescue);
      beside.emplace(parts, shipment, session, *suspension, *job.meter, job.stop);
      auto shipping = ship_memory(parts, *suspension, shipment, lending, std::move(maker),
                                  guest->state, job.meter->begin("writing memory"));
      auto memory = co_await std::move(shipping);
      set_hibernation(shipment.next, std::move(memory));
      if (!rescue->is_kept())
        parts.log.warning(session.capsule_name + " has no second copy here while it is written (" +
                          rescue->trouble() + "): don't pull the device");
      job.meter->name("writing the disks");
      auto taking = beside->take();
      layers = co_await std::move(taking);
    }
    if (!layers) {
      auto writing = ship_disks(parts, shipment, session, with_memory, job);
      layers = co_await std::move(writing);
    }
    auto committing = offload(parts.lanes.files, [&] {
      const auto& memory = shipment.next.hibernation;
      if (memory && memory->codec == hibernation::borrowing_codec) lending.demand_unwritten();
      note_standstill(parts, session);
      return commit_shipment(parts, shipment, session, std::move(*layers), *job.meter);
    });
    committed = co_await std::move(committing);
  } catch (...) {
    failure = std::current_exception();
  }
  if (beside) {
    auto giving_up = beside->give_up();
    co_await std::move(giving_up);
  }
  if (!committed) {
    bool saved = false;
    if (suspension) {
      auto saving = save_here(parts, order, session, *suspension, *rescue, failure);
      saved = co_await std::move(saving);
    }
    if (!saved) {
      // Before it runs again, where it was stopped at all. Of one that is off as well: a record
      // that can be read need not be on the medium.
      auto going_on = go_on(parts, order, session, is_lost(failure));
      co_await std::move(going_on);
    }
    if (suspension && !saved) {
      auto keeping = suspension->keep_guest();
      co_await std::move(keeping);
      auto holding = keep_for_stuck_guest(parts, session, *rescue);
      co_await std::move(holding);
    }
    std::rethrow_exception(failure);
  }

  job.meter->name("letting the machine go");
  if (suspension) {
    auto ending = suspension->end_guest(session.capsule_name, "on its device");
    const auto left = co_await std::move(ending);
    if (left == Suspension::Left::a_guest) {
      auto going_on = go_on(parts, order, session, false);
      co_await std::move(going_on);
    }
    if (left != Suspension::Left::nothing) throw not_ended(session, left);
  }
  CheckedIn result{std::move(*committed), {}, {}};
  result.written = new_bytes(result.head.head, shipment.newest.head);
  result.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  auto finishing = finish(parts, shipment, rescue.get(), result);
  co_await std::move(finishing);
  co_return result;
}

}  // namespace satchel
