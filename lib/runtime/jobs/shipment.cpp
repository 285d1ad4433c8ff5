#include "runtime/jobs/shipment.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/fault.hpp"
#include "disk/copy.hpp"
#include "disk/qcow2.hpp"
#include "disk/qemu_img.hpp"
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
    const auto size = allocated(overlay.overlays());
    if (size > room.largest_file)
      throw Fault(Remedy::other_device,
                  Fault::Text{"check in", session.capsule_name,
                              "the changes of disk " + overlay.target + " (" + to_string(size) +
                                  ") are more than a file may have on this filesystem",
                              "Use a device formatted with ext4 or exFAT (satchelctl format)."});
    needed = needed + size;
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

UniqueFd open_file(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file) throw fault_from_errno(errno, "open the overlay", path);
  return file;
}

/// What of an overlay goes to the device: compressed, in a file that has no name any more; as it is
/// where that can't be made on this computer's disk.
UniqueFd open_for_shipping(const Parts& parts, const std::string& overlay, std::stop_token stop) {
  const auto packed = overlay + ".packed";
  const auto room = free_space(std::filesystem::path(overlay).parent_path());
  if (room < parts.config.space.keep_free_host + allocated({overlay})) return open_file(overlay);
  try {
    disk::compress_overlay(overlay, packed, stop);
    auto file = open_file(packed);
    ::unlink(packed.c_str());
    return file;
  } catch (const Fault& failure) {
    if (stop.stop_requested()) throw;
    parts.log.warning(std::string(failure.what()) + "; it is written as it is");
    return open_file(overlay);
  }
}

/// Ships one overlay as the next layer of its disk. Neither a merge while the guest ran nor the
/// compression left the neighbour's name in its header.
void ship_layer(const Parts& parts, Shipment& shipment, const std::string& overlay,
                format::Disk& disk, const std::string& object, const ProgressSink& progress,
                std::stop_token stop) {
  const auto from = open_for_shipping(parts, overlay, stop);
  disk::set_backing(from.get(), file_name(disk.chain.back()));
  auto layer = shipment.capsule.create_object(object);
  const disk::SparseSink sink{[&](std::span<const std::byte> bytes) {
                                layer.write(bytes);
                                shipment.written(bytes.size(), stop);
                              },
                              [&](ByteCount hole) { layer.skip(hole); }};
  disk::copy_sparse(from.get(), sink, progress, stop);
  add_object(shipment.next, layer.finish());
  disk.chain.push_back(object);
}

/// All overlays of a disk, lowest first.
void ship_layers(const Parts& parts, Shipment& shipment, const DiskOverlay& overlay,
                 format::Disk& disk, const ProgressSink& progress, std::stop_token stop) {
  const auto layer = disk.target + "/layer-" + std::to_string(shipment.next.generation.seq.value);
  int number = 0;
  for (const auto& each : overlay.frozen)
    ship_layer(parts, shipment, each, disk, layer + "-" + std::to_string(++number) + ".qcow2",
               progress, stop);
  ship_layer(parts, shipment, overlay.path, disk, layer + ".qcow2", progress, stop);
}

}  // namespace

format::SignedHead ship_rest_and_commit(const Parts& parts, Shipment& shipment,
                                        const Session& session, Meter& meter,
                                        std::stop_token stop) {
  auto& next = shipment.next;
  const auto seq = std::to_string(next.generation.seq.value);
  for (auto& disk : next.disks) {
    const auto overlay = std::find_if(session.disks.begin(), session.disks.end(),
                                      [&](const auto& each) { return each.target == disk.target; });
    if (overlay == session.disks.end()) continue;
    // The overlays hold all that the chain lacks of what this session wrote.
    disk.chain = overlay->chain;
    ship_layers(parts, shipment, *overlay, disk, meter.begin("writing disk " + disk.target), stop);
  }
  if (session.nvram) {
    const auto object = "state/" + seq + ".nvram";
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
