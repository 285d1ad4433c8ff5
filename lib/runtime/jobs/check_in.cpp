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
#include "runtime/jobs/preflight.hpp"
#include "runtime/jobs/suspension.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

/// Where the pieces of one check-in stand between its steps.
struct Shipment {
  format::CapsuleDirectory capsule;
  format::SignedHead newest;
  format::Head next;
};

format::SignedHead newest_of_session(format::CapsuleDirectory& capsule, Session& session) {
  auto seen = capsule.examine();
  if (!seen.newest)
    throw Fault(Remedy::other_device,
                Fault::Text{"check in",
                            session.capsule_name,
                            seen.problems.empty() ? "its device holds no complete generation"
                                                  : seen.problems.front(),
                            {}});
  const auto& generation = seen.newest->head.generation;
  if (!is_of_session(seen.newest->head, session))
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
  if (with_memory && last)
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

Shipment prepare(const Parts& parts, const CheckInOrder& order, Session& session,
                 bool with_memory) {
  auto capsule = format::CapsuleDirectory::open(order.stick->root()->get(), session.capsule);
  auto newest = newest_of_session(capsule, session);
  auto next = next_head(newest.head, author(parts), what::eject);
  next.hibernation.reset();
  Shipment made{std::move(capsule), std::move(newest), std::move(next)};
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

/// The device has the machine; libvirt must let go of it, and if it won't, the guest is ended: two
/// copies that both go on would be two histories.
Task<void> end_guest(Parts& parts, const Session& session, Suspension& suspension) {
  std::string why;
  try {
    co_await suspension.let_go();
    co_return;
  } catch (const std::exception& failure) {
    why = failure.what();
  }
  parts.log.warning(session.capsule_name + " is on its device, but libvirt did not let go of it (" +
                    why + "); ended it here");
  try {
    auto ending = end_if_alive(parts, session.domain);
    co_await std::move(ending);
  } catch (const std::exception& failure) {
    parts.log.warning("could not end the guest of " + session.capsule_name + ": " + failure.what() +
                      "; it is tried again when the session is cleared away");
  }
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

/// What the memory is made under.
struct Maker {
  Accelerator accelerator{};
  std::string emulator;
};

/// The machine as it runs now, which may have other devices than when it was packed. What names
/// other hosts' things stays as it was: this host's names are hints to nobody.
machine::Reading describe_now(const std::string& live_xml, const std::string& before_json) {
  auto now = machine::read_domain(live_xml, machine::Moment::running);
  if (!now)
    throw Fault(Remedy::fix_config,
                Fault::Text{"check in", "the machine as it runs now", to_string(now.error()),
                            "Detach what can't travel (virsh detach-device) and eject again."});
  machine::measure_firmware(*now);
  if (const auto before = machine::read_json(before_json)) {
    now->machine.name = before->name;
    for (auto& card : now->machine.devices.interfaces)
      for (const auto& old : before->devices.interfaces)
        if (old.mac == card.mac) card.network = old.network;
  }
  return std::move(*now);
}

/// A medium that is not in its drive any more stays behind: it goes with the objects that the head
/// does not name.
void leave_media(format::Head& next, const std::vector<std::string>& in_drives) {
  std::erase_if(next.disks, [&](const format::Disk& disk) {
    return disk.is_medium() && std::ranges::find(in_drives, disk.target) == in_drives.end();
  });
}

/// Asked before the suspension: libvirt answers nothing about a domain that waits at the gate.
Task<Maker> note_machine(Parts& parts, const Session& session, format::Head& next) {
  auto describing = parts.hypervisor.describe(session.domain.value.str());
  const auto domain = co_await std::move(describing);
  if (!domain || domain->live.empty())
    throw Fault(Remedy::retry,
                Fault::Text{"check in", session.capsule_name, "its guest has ended just now", {}});
  auto reading =
      offload(parts.lanes.files, [&] { return describe_now(domain->live, next.machine_json); });
  const auto now = co_await std::move(reading);
  const auto& machine = now.machine;
  next.machine_json = machine::write_json(machine);
  leave_media(next, now.media);
  auto asking = parts.hypervisor.ability(machine.accelerator);
  const auto host = co_await std::move(asking);
  Maker maker{machine.accelerator, emulator_name(host)};
  co_return maker;
}

Task<SavedMemory> ship_memory(Parts& parts, Suspension& suspension, Shipment& shipment, Maker maker,
                              GuestState before, ProgressSink progress) {
  const auto stem = "memory/" + std::to_string(shipment.next.generation.seq.value);
  auto shipping = suspension.ship(shipment.capsule, stem + ".pages", std::move(progress));
  auto shipped = co_await std::move(shipping);
  auto storing = offload(parts.lanes.files, [&] {
    return store_bytes(shipment.capsule, shipped.encoded.map, stem + ".map");
  });
  auto map = co_await std::move(storing);
  SavedMemory saved{std::move(shipped.pages),    std::move(map),
                    shipped.encoded.stream_size, maker.accelerator,
                    std::move(maker.emulator),   before};
  co_return saved;
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
      offload(parts.lanes.files, [&] { return prepare(parts, order, session, with_memory); });
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

  std::optional<Suspension> suspension;
  std::optional<format::SignedHead> committed;
  std::exception_ptr failure;
  try {
    if (with_memory) {
      auto noting_machine = note_machine(parts, session, shipment.next);
      auto maker = co_await std::move(noting_machine);
      suspension.emplace(parts, session.domain, fifo_directory(parts, session.capsule), job.stop);
      auto shipping = ship_memory(parts, *suspension, shipment, std::move(maker), guest->state,
                                  job.meter->begin("writing memory"));
      auto memory = co_await std::move(shipping);
      set_hibernation(shipment.next, std::move(memory));
    }
    auto committing = offload(parts.lanes.files, [&] {
      return ship_rest_and_commit(shipment, session, parts.key, *job.meter, job.stop);
    });
    committed = co_await std::move(committing);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!committed) {
    if (suspension) {
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
  if (suspension) co_await end_guest(parts, session, *suspension);
  CheckedIn result{std::move(*committed), {}, {}};
  result.written = new_bytes(result.head.head, shipment.newest.head);
  result.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began);
  auto tidying = offload(parts.lanes.files, [&] { tidy(parts, shipment, result); });
  co_await std::move(tidying);
  co_return result;
}

}  // namespace satchel
