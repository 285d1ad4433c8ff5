#include "runtime/jobs/new_capsule.hpp"

#include <utility>

#include "base/fault.hpp"
#include "base/told_of.hpp"
#include "runtime/heads.hpp"

namespace satchel {

namespace {

void check_room(const Parts& parts, const format::Room& room, const NewCapsule& order) {
  ByteCount needed = parts.config.space.keep_free_device + order.more_size;
  for (const auto& disk : order.disks) {
    needed = needed + disk.image_size;
    if (disk.image_size > room.largest_file)
      throw Fault(Remedy::other_device,
                  Fault::Text{order.deed, order.name,
                              "disk " + disk.target + " needs a file of " +
                                  to_string(disk.image_size) + ", more than this filesystem holds",
                              "Use a device formatted with ext4 or exFAT (satchelctl format)."});
  }
  if (needed > room.free)
    throw Fault(Remedy::free_space,
                Fault::Text{order.deed, order.name,
                            "the device has " + to_string(room.free) + " free and " +
                                to_string(needed) + " are needed",
                            "Free some space on the device, or use a larger one."});
}

/// Image and COW file of one disk.
void make_disk(Unfinished& unfinished, const NewDisk& disk, Meter& meter, std::stop_token stop) {
  auto& [capsule, head] = unfinished;
  const auto image = disk.target + "/image.qcow2";
  const auto cow = disk.target + "/cow.qcow2";
  const auto to = capsule.path_for_child(image);
  told_of(image, [&] {
    if (disk.source.empty())
      disk::create_overlay({to, disk.virtual_size, std::nullopt});
    else
      disk::flatten(disk.source, to, meter.begin("copying disk " + disk.target), stop);
  });
  add_object(head,
             capsule.adopt_object(image, meter.begin("reading back disk " + disk.target), stop));
  if (disk.kind == NewDisk::Kind::medium) {
    head.disks.push_back({disk.target, disk.virtual_size, {image}});
    return;
  }
  const auto above = capsule.path_for_child(cow);
  told_of(cow, [&] { disk::create_overlay({above, disk.virtual_size, "image.qcow2"}); });
  add_object(head, capsule.adopt_object(cow, {}, stop));
  head.disks.push_back({disk.target, disk.virtual_size, {image, cow}});
}

format::SignedHead fill_and_commit(const Parts& parts, const NewCapsule& order,
                                   Unfinished& unfinished, std::optional<SessionId> session,
                                   Meter& meter, std::stop_token stop) {
  auto& [capsule, head] = unfinished;
  for (const auto& disk : order.disks) make_disk(unfinished, disk, meter, stop);
  if (order.nvram) {
    head.nvram = "state/1.nvram";
    add_object(head, store_file(capsule, *order.nvram, *head.nvram));
  }
  if (order.more) order.more(capsule, head, meter, stop);
  if (session) {
    head.history.back().what += what::checked_out;
    head.checked_out = format::CheckedOut{parts.key.public_key().host_id(), parts.host_name,
                                          *session, parts.now()};
  }
  meter.name("committing");
  return capsule.commit(head, parts.key);
}

}  // namespace

Task<std::unique_ptr<Unfinished>> begin_capsule(Parts& parts, const NewCapsule& order,
                                                JobContext job, Undo& undo) {
  auto making = offload(parts.lanes.files, [&] {
    auto capsule = format::CapsuleDirectory::create(order.stick->root()->get(), order.capsule);
    auto head = first_head(order.capsule, order.name, author(parts), order.deed);
    head.machine_json = order.machine_json;
    return std::make_unique<Unfinished>(Unfinished{std::move(capsule), std::move(head)});
  });
  undo.note("remove the unfinished capsule", [&parts, stick = order.stick, id = order.capsule] {
    return offload(parts.lanes.files,
                   [stick, id] { format::CapsuleDirectory::remove(stick->root()->get(), id); });
  });
  auto unfinished = co_await std::move(making);
  check_room(parts, unfinished->capsule.room(), order);
  ByteCount total = order.more_size;
  for (const auto& disk : order.disks)
    total = total + (disk.source.empty() ? ByteCount() : disk.virtual_size) + disk.image_size;
  job.meter->expect_more(total);
  co_return unfinished;
}

Task<format::SignedHead> finish_capsule(Parts& parts, const NewCapsule& order,
                                        Unfinished& unfinished, std::optional<SessionId> session,
                                        JobContext job) {
  auto filling = offload(parts.lanes.files, [&] {
    return fill_and_commit(parts, order, unfinished, session, *job.meter, job.stop);
  });
  co_return co_await std::move(filling);
}

}  // namespace satchel
