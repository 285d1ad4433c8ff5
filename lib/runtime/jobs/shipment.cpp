#include "runtime/jobs/shipment.hpp"

#include <algorithm>
#include <utility>

#include "base/fault.hpp"
#include "machine/description.hpp"
#include "machine/reading.hpp"
#include "runtime/chains.hpp"
#include "runtime/heads.hpp"
#include "runtime/host_room.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/older.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

format::SignedHead newest_of_session(format::CapsuleDirectory& capsule, Session& session) {
  auto seen = capsule.examine();
  const auto problem = seen.first_problem();
  if (!seen.newest)
    throw Fault(Remedy::other_device,
                Fault::Text{"check in",
                            session.capsule_name,
                            problem.value_or("its device holds no complete generation"),
                            {}});
  const auto& generation = seen.newest->head.generation;
  const bool ours = is_of_session(seen.newest->head, session);
  if (lacks_files_of(seen.newest->head, session))
    throw Fault(
        Remedy::retry,
        Fault::Text{"check in", session.capsule_name,
                    "its device shows generation " + std::to_string(generation.seq.value) +
                        " as the newest, and the machine goes on from generation " +
                        std::to_string(session.base_sequence.value) +
                        (problem ? ": " + *problem : ""),
                    "The machine goes on running. Eject it again; if that stays so, the device has "
                    "lost what was written to it, or is a copy: keep the machine with satchelctl "
                    "resolve once the device was pulled out and plugged in again."});
  if (!ours && problem)
    throw Fault(Remedy::retry, Fault::Text{"check in", session.capsule_name, *problem,
                                           "Eject it again; the machine goes on running."});
  if (!ours)
    throw Fault(Remedy::choose,
                Fault::Text{"check in", session.capsule_name,
                            generation.host_name + " has committed to the device since",
                            "Choose which of the two histories goes on."});
  follow(session, seen.newest->head);
  return std::move(*seen.newest);
}

/// What this check-in writes at least, as far as can be known: refusing before the guest stops is
/// kinder, but running out later is safe too. Older generations make room for what it may write.
void check_room(const Config& config, Shipment& shipment, const Session& session,
                bool with_memory) {
  const auto room = shipment.capsule.room();
  ByteCount needed = config.space.keep_free_device;
  for (const auto& overlay : session.disks) {
    for (const auto& file : overlay.overlays()) {
      const auto size = allocated({file});
      if (size > room.largest_file)
        throw Fault(Remedy::other_device,
                    Fault::Text{"check in", session.capsule_name,
                                "the changes of disk " + overlay.target + " (" + to_string(size) +
                                    ") are more than a file may have on this filesystem",
                                "Use a device formatted with ext4 or exFAT (satchelctl format)."});
      needed = needed + size;
    }
  }
  const auto& last = shipment.newest.head.hibernation;
  // Of memory that the device has already nobody knows how much will be new: hardly more than half
  // of it, once it is compressed.
  auto at_most = needed;
  if (with_memory && last) at_most = at_most + ByteCount(last->stream_size.value / 2);
  if (with_memory && last && shipment.base.segments.empty())
    if (const auto* pages = shipment.newest.head.find(last->pages)) needed = needed + pages->size;
  const auto free = make_room(config, shipment.capsule, shipment.newest.head, at_most);
  if (needed > free)
    throw Fault(Remedy::free_space,
                Fault::Text{"check in", session.capsule_name,
                            "the device has " + to_string(free) + " free and about " +
                                to_string(needed) + " are needed",
                            "Delete something from the device and eject again; the machine goes on "
                            "running."});
}

}  // namespace

format::SignedHead commit_shipment(const Parts& parts, Shipment& shipment, const Session& session,
                                   ShippedLayers layers, Meter& meter) {
  auto& next = shipment.next;
  next.disks = std::move(layers.disks);
  for (auto& object : layers.objects) add_object(next, std::move(object));
  if (session.nvram) {
    const auto object = "state/" + std::to_string(next.generation.seq.value) + ".nvram";
    add_object(next, store_file(shipment.capsule, *session.nvram, object));
    next.nvram = object;
  }
  drop_unnamed_objects(next);
  meter.name("committing");
  return shipment.capsule.commit(next, parts.key);
}

Shipment prepare_shipment(const Parts& parts, Stick& stick, Session& session, std::string what,
                          bool with_memory, const JobContext& job) {
  auto capsule = format::CapsuleDirectory::open(stick.root()->get(), session.capsule);
  auto newest = newest_of_session(capsule, session);
  auto next = next_head(newest.head, author(parts), std::move(what));
  next.hibernation.reset();
  Shipment made{std::move(capsule), std::move(newest), std::move(next), {}};
  if (with_memory)
    made.base = memory_base(parts, stick, made.capsule, made.newest.head,
                            job.meter->begin("checking the device"), job.stop);
  made.base.tags = parts.tags->of(session.capsule);
  check_room(parts.config, made, session, with_memory);
  return made;
}

ByteCount expected_bytes(const Shipment& shipment, const Session& session, bool with_memory) {
  ByteCount sum;
  for (const auto& disk : session.disks) sum = sum + allocated(disk.overlays());
  if (with_memory) {
    const auto& last = shipment.newest.head.hibernation;
    const auto machine = machine::read_json(shipment.newest.head.machine_json);
    sum = sum + (last ? last->stream_size : machine ? machine::memory(*machine) : ByteCount());
  }
  return sum;
}

void tidy(const Parts& parts, Shipment& shipment, ByteCount written,
          std::chrono::milliseconds took) {
  try {
    sweep(parts.config, shipment.capsule, shipment.next);
    const auto& done = shipment.next.history.back();
    shipment.capsule.append_log("generation " + std::to_string(done.generation.seq.value) + " by " +
                                done.generation.host_name + ", " + done.what + ", " +
                                std::to_string(written.value) + " bytes in " +
                                std::to_string(took.count()) + " ms");
  } catch (const Fault& failure) {
    parts.log.warning(std::string(failure.what()) + "; it is tried again after the next commit");
  }
}

}  // namespace satchel
