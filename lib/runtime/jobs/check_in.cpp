#include "runtime/jobs/check_in.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>

#include "base/fault.hpp"
#include "disk/copy.hpp"
#include "disk/qcow2.hpp"
#include "machine/description.hpp"
#include "machine/reading.hpp"
#include "runtime/chains.hpp"
#include "runtime/heads.hpp"
#include "runtime/host_room.hpp"
#include "runtime/jobs/machine_now.hpp"
#include "runtime/jobs/rescue.hpp"
#include "runtime/jobs/suspension.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

/// Where the pieces of one check-in stand between its steps.
struct Shipment {
  format::CapsuleDirectory capsule;
  format::SignedHead newest;
  format::Head next;
  hibernation::PageBase base;  ///< what the device has of the memory already
};

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

ByteCount allocated(const std::filesystem::path& file) {
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0) throw fault_from_errno(errno, "look at", file.string());
  return ByteCount(static_cast<std::uint64_t>(about.st_blocks) * 512);
}

/// What this check-in writes at least, as far as can be known: refusing before the guest stops is
/// kinder, but running out later is safe too.
void check_room(const Shipment& shipment, const Session& session, bool with_memory,
                ByteCount keep_free) {
  const auto room = shipment.capsule.room();
  ByteCount needed = keep_free;
  for (const auto& overlay : session.disks) {
    const auto size = allocated(overlay.path);
    if (size > room.largest_file)
      throw Fault(Remedy::other_device,
                  Fault::Text{"check in", session.capsule_name,
                              "the changes of disk " + overlay.target + " (" + to_string(size) +
                                  ") are more than a file may have on this filesystem",
                              "Use a device formatted with ext4 or exFAT (satchelctl format)."});
    needed = needed + size;
  }
  const auto& last = shipment.newest.head.hibernation;
  // Of memory that the device has already nobody knows how much will be new.
  if (with_memory && last && shipment.base.segments.empty())
    if (const auto* pages = shipment.newest.head.find(last->pages)) needed = needed + pages->size;
  if (needed > room.free)
    throw Fault(Remedy::free_space,
                Fault::Text{"check in", session.capsule_name,
                            "the device has " + to_string(room.free) + " free and about " +
                                to_string(needed) + " are needed",
                            "Delete something from the device and eject again; the machine goes on "
                            "running."});
}

/// Ships one overlay as the next layer of its disk. A merge while the guest ran left another name
/// than the neighbour's in its header.
format::Object ship_layer(format::CapsuleDirectory& capsule, const DiskOverlay& overlay,
                          const std::string& object, const ProgressSink& progress,
                          std::stop_token stop) {
  UniqueFd from(::open(overlay.path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!from) throw fault_from_errno(errno, "open the overlay", overlay.path);
  disk::set_backing(from.get(), file_name(overlay.chain.back()));
  auto layer = capsule.create_object(object);
  const disk::SparseSink sink{[&](std::span<const std::byte> bytes) { layer.write(bytes); },
                              [&](ByteCount hole) { layer.skip(hole); }};
  disk::copy_sparse(from.get(), sink, progress, stop);
  return layer.finish();
}

/// Everything but the memory, and the commit. Files lane; the guest is suspended or off.
format::SignedHead ship_rest_and_commit(Shipment& shipment, const Session& session,
                                        const HostKey& key, Meter& meter, std::stop_token stop) {
  auto& next = shipment.next;
  const auto seq = std::to_string(next.generation.seq.value);
  for (auto& disk : next.disks) {
    const auto overlay = std::find_if(session.disks.begin(), session.disks.end(),
                                      [&](const auto& each) { return each.target == disk.target; });
    if (overlay == session.disks.end()) continue;
    // The overlay holds all that this session wrote, so it goes over the chain the session began
    // with.
    disk.chain = overlay->chain;
    disk.chain.push_back(disk.target + "/layer-" + seq + ".qcow2");
    add_object(next, ship_layer(shipment.capsule, *overlay, disk.chain.back(),
                                meter.begin("writing disk " + disk.target), stop));
  }
  if (session.nvram) {
    const auto object = "state/" + seq + ".nvram";
    add_object(next, store_file(shipment.capsule, *session.nvram, object));
    next.nvram = object;
  }
  drop_unnamed_objects(next);
  meter.name("committing");
  return shipment.capsule.commit(next, key);
}

Shipment prepare(const Parts& parts, const CheckInOrder& order, Session& session, bool with_memory,
                 const JobContext& job) {
  auto capsule = format::CapsuleDirectory::open(order.stick->root()->get(), session.capsule);
  auto newest = newest_of_session(capsule, session);
  auto next = next_head(newest.head, author(parts), what::eject);
  next.hibernation.reset();
  Shipment made{std::move(capsule), std::move(newest), std::move(next), {}};
  if (with_memory)
    made.base = memory_base(parts, *order.stick, made.capsule, made.newest.head,
                            job.meter->begin("checking the device"), job.stop);
  check_room(made, session, with_memory, parts.config.space.keep_free_device);
  return made;
}

ByteCount expected_bytes(const Shipment& shipment, const Session& session, bool with_memory) {
  ByteCount sum;
  for (const auto& overlay : session.disks) sum = sum + allocated(overlay.path);
  if (with_memory) {
    const auto& last = shipment.newest.head.hibernation;
    const auto machine = machine::read_json(shipment.newest.head.machine_json);
    sum = sum + (last ? last->stream_size : machine ? machine::memory(*machine) : ByteCount());
  }
  return sum;
}

/// What makes the device tidy after a commit. The commit stands whatever becomes of it.
void tidy(Parts& parts, Shipment& shipment, const CheckedIn& result) {
  try {
    shipment.capsule.sweep();
    const auto& generation = result.head.head.generation;
    shipment.capsule.append_log("generation " + std::to_string(generation.seq.value) + " by " +
                                generation.host_name + ", eject, " +
                                std::to_string(result.written.value) + " bytes in " +
                                std::to_string(result.took.count()) + " ms");
  } catch (const Fault& failure) {
    parts.log.warning(std::string(failure.what()) + "; it is tried again after the next eject");
  }
}

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

/// A copy of the memory on this computer, as far as its disk has room.
std::shared_ptr<Rescue> begin_rescue(const Parts& parts, const std::shared_ptr<Stick>& stick,
                                     const Session& session) {
  const auto directory = parts.shelf.directory(session.capsule);
  const auto free = free_space(directory).value;
  const auto kept = parts.config.space.keep_free_host.value;
  return std::make_shared<Rescue>(stick, directory, ByteCount(free > kept ? free - kept : 0));
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
  auto preparing =
      offload(parts.lanes.files, [&] { return prepare(parts, order, session, with_memory, job); });
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
          offload(parts.lanes.files, [&] { return begin_rescue(parts, order.stick, session); });
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
      return ship_rest_and_commit(shipment, session, parts.key, *job.meter, job.stop);
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
  auto tidying = offload(parts.lanes.files, [&] { tidy(parts, shipment, result); });
  co_await std::move(tidying);
  co_return result;
}

}  // namespace satchel
