#include "runtime/jobs/second_copy.hpp"

#include <exception>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "base/fault.hpp"
#include "hibernation/segment_file.hpp"
#include "machine/description.hpp"
#include "runtime/host_room.hpp"
#include "runtime/session_guest.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

/// Whether what a copy says of its blocks and of what it borrows is what its map says.
bool has_tables(const hibernation::LocalSegments& local, const hibernation::Segment& segment) {
  try {
    hibernation::SegmentFile(local.open(segment), segment);
    return true;
  } catch (const Fault&) {
    return false;
  }
}

/// This computer's copies of all that the new memory may refer to; none when one is missing or was
/// not checked.
std::map<std::uint64_t, Rescue::Earlier> earlier_copies(const Parts& parts,
                                                        const Shipment& shipment) {
  const auto& before = shipment.newest.head;
  const auto local = parts.cache->of(before.capsule);
  if (!local || !before.hibernation ||
      !parts.cache->is_whole(before.find(before.hibernation->map)->digest))
    return {};
  std::map<std::uint64_t, Rescue::Earlier> out;
  for (const auto& segment : shipment.base.segments) {
    Rescue::Earlier copy{local->open(segment), {}};
    if (segment.borrowed > 0) copy.borrowed = local->open_borrowed(segment);
    if (!has_tables(*local, segment) || (segment.borrowed > 0 && !copy.borrowed)) return {};
    out.emplace(segment.number, std::move(copy));
  }
  return out;
}

}  // namespace

std::shared_ptr<Rescue> begin_rescue(const Parts& parts, const std::shared_ptr<Stick>& stick,
                                     const Session& session, const Shipment& shipment) {
  const auto directory = parts.shelf.directory(session.capsule);
  // Its device is there: what is kept of its disks can be had from there again, unless its guest
  // runs on that.
  std::optional<CapsuleId> also(session.capsule);
  if (session.on_copies) also.reset();
  if (const auto machine = machine::read_json(shipment.newest.head.machine_json))
    parts.disks->give_way(machine::memory(*machine), also);
  const auto free = free_space(directory).value;
  const auto kept = parts.config.space.keep_free_host.value;
  auto rescue =
      std::make_shared<Rescue>(stick, directory, ByteCount(free > kept ? free - kept : 0));
  rescue->has_earlier(earlier_copies(parts, shipment));
  return rescue;
}

void keep_here(const Parts& parts, const Shipment& shipment, const Rescue& rescue,
               const format::Head& committed) {
  if (!rescue.has_own()) return;
  const bool has_earlier = rescue.has_all_earlier() || shipment.segments.size() == 1;
  if (parts.cache->keep(committed.capsule, shipment.segments, {rescue.own(), rescue.borrowed()}) &&
      has_earlier)
    parts.cache->note_whole(committed.find(committed.hibernation->map)->digest);
}

Task<void> keep_for_stuck_guest(Parts& parts, Session session, const Rescue& rescue) {
  if (!rescue.saw_end()) co_return;
  try {
    const auto copy = cut_short_save(parts, session.capsule);
    // It gave its memory once more: whatever was kept before is older.
    auto clearing = offload(parts.lanes.files, [&] { std::filesystem::remove(copy); });
    co_await std::move(clearing);
    auto finding = find_guest(parts, session);
    const auto guest = co_await std::move(finding);
    if (!rescue.is_whole() || !is_alive(guest) || guest->state == GuestState::running) co_return;
    auto keeping = offload(parts.lanes.files,
                           [&] { rescue.make_save_image(copy, worker_threads(parts.config)); });
    co_await std::move(keeping);
    parts.log.warning(session.capsule_name + " stands still after a save: its memory is kept here");
  } catch (const std::exception& failure) {
    parts.log.warning(std::string(failure.what()) + "; there is no copy of its memory here");
  }
}

}  // namespace satchel
