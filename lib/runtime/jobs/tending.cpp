#include "runtime/jobs/tending.hpp"

#include <utility>

#include "disk/given_directory.hpp"
#include "disk/qcow2.hpp"
#include "disk/qemu_img.hpp"
#include "format/text.hpp"
#include "runtime/chains.hpp"
#include "runtime/disk_check.hpp"
#include "runtime/heads.hpp"
#include "runtime/older.hpp"
#include "runtime/sessions.hpp"
#include "runtime/upkeep.hpp"

namespace satchel::tending {

namespace {

void refuse_needed(const Tending& at) {
  if (at.order.although == core::Although::go_on) return;
  const auto& head = at.head();
  auto who = still_needed_by(head, at.parts.key.public_key().host_id());
  if (who.empty() && head.checked_out && !at.order.session) who = head.checked_out->host_name;
  if (!who.empty())
    throw at.fault(Remedy::choose,
                   "a session of " + who + " is not given up and may still need its files",
                   "If that session is given up, ask again with --although-needed.");
}

/// Whether merges write a new COW file of the next epoch, below the one that is there, rather than
/// enlarge that one: no generation names the new one before it is whole.
bool renews(const Tending& at) { return !may_enlarge(at.order.stick->volume()); }

std::string renewed(const Tending& at, const Span& span) {
  return format::cow_path(span.target, std::uint64_t{at.head().epoch} + 1);
}

/// Those that a merge of these reads and that can be told to be as they were written.
std::vector<format::Object> files_of(const Tending& at, const std::vector<Span>& spans) {
  std::vector<std::vector<std::string>> merged;
  for (const auto& span : spans) {
    const auto& chain = at.disk(span.target).chain;
    const auto first = chain.begin();
    merged.emplace_back(first + static_cast<std::ptrdiff_t>(span.base),
                        first + static_cast<std::ptrdiff_t>(span.top) + 1);
  }
  return files_to_check(at.parts.config, DiskUse::whole, at.head(), merged);
}

/// Layers are compressed, and what they go into is not.
ByteCount size_when_merged(const Tending& at, const format::Object& file, const JobContext& job) {
  const auto fd = at.capsule.open_checked(file, format::CapsuleDirectory::Access::read);
  return std::max(file.size, disk::data_in({disk::path_of(fd.get()), "qcow2"}, job.stop));
}

/// Of a file that holds all of its disk: for each cluster 8 bytes in a table and 2 that count it.
ByteCount size_when_full(ByteCount virtual_size) {
  return ByteCount(virtual_size.value + virtual_size.value / 4096) + mebibytes(1);
}

/// The changed file, on the medium by an fsync of ours.
void take_in(Tending& at, format::Head& next, const std::string& path, const JobContext& job) {
  const auto before = at.object(path).size;
  auto object = at.capsule.adopt_object(path, job.meter->begin("reading back " + path), job.stop);
  if (object.size < before) throw at.fault(Remedy::report_bug, path + " has become shorter", {});
  add_object(next, std::move(object));
}

}  // namespace

std::vector<Span> layers_of(const format::Head& head, const std::vector<format::Head>& kept) {
  std::vector<Span> out;
  for (const auto& disk : head.disks) {
    if (disk.chain.size() <= 2) continue;
    if (const auto top = top_hidden(kept, disk); top > 1) out.push_back({disk.target, 1, top});
  }
  return out;
}

std::vector<Span> cows_of(const format::Head& head) {
  std::vector<Span> out;
  for (const auto& disk : head.disks)
    if (disk.chain.size() > 1 && is_used(*head.find(disk.chain[1])))
      out.push_back({disk.target, 0, 1});
  return out;
}

format::Head next_of(const Tending& at, std::string what) {
  return next_head(at.head(), author(at.parts), std::move(what));
}

void commit(Tending& at, format::Head next) {
  next.checked_out = at.head().checked_out;
  auto made = at.capsule.commit(next, at.parts.key);
  at.previous = std::exchange(at.newest, std::move(made));
}

Tending open(Parts& parts, TendOrder order) {
  auto capsule = format::CapsuleDirectory::open(order.stick->root()->get(), order.capsule);
  auto seen = capsule.examine();
  if (!seen.newest)
    throw Fault(Remedy::other_device, Fault::Text{"merge the disks on",
                                                  order.stick->volume().node,
                                                  "no generation on it is complete",
                                                  {}});
  Tending at{parts,
             std::move(order),
             std::move(capsule),
             std::move(*seen.newest),
             std::move(seen.previous),
             {}};
  refuse_needed(at);
  if (auto& session = at.order.session) {
    if (!at.head().checked_out || at.head().checked_out->session != session->session)
      throw at.fault(Remedy::retry, "an eject of it did not come to its end",
                     "Eject it: after that its disks can be merged again.");
    if (lacks_files_of(at.head(), *session))
      throw at.fault(Remedy::retry, "its device shows an older state than the machine goes on from",
                     "Eject it.");
    follow(*session, at.head());
  }
  check_length(at.head());
  return at;
}

void check_room(Tending& at, const std::vector<Span>& spans, const JobContext& job) {
  const auto room = at.capsule.room();
  auto needed = at.parts.config.space.keep_free_device;
  for (const auto& span : spans) {
    const auto& chain = at.disk(span.target).chain;
    ByteCount above;
    for (auto i = span.base + 1; i <= span.top; ++i)
      above = above + size_when_merged(at, at.object(chain[i]), job);
    // However often a place was written.
    const auto before = at.object(chain[span.base]).size;
    const auto most = std::max(before, size_when_full(at.disk(span.target).virtual_size));
    const auto after = std::min(before + above, most);
    needed = needed + (span.base > 0 && renews(at) ? after : std::min(above, most));
    if (after > room.largest_file)
      throw at.fault(Remedy::other_device,
                     chain[span.base] + " might become larger than a file may be on this device",
                     "Use a device formatted with ext4 or exFAT (satchelctl format).");
  }
  const auto free = make_room(at.parts.config, at.capsule, at.head(), needed);
  if (needed > free)
    throw at.fault(Remedy::free_space,
                   "the device has " + to_string(free) + " free and up to " + to_string(needed) +
                       " are needed",
                   "Delete something from the device; the machine is not affected.");
}

void check_files(Tending& at, const std::vector<Span>& spans, const JobContext& job) {
  compare_disks(at.capsule, at.head(), files_of(at, spans), job,
                ByteCount(at.order.bytes_per_second));
}

namespace {

bool are_hidden(const Tending& at, const std::vector<Span>& spans, const format::Head& other) {
  return std::all_of(spans.begin(), spans.end(), [&](const Span& span) {
    return is_hidden(other, at.disk(span.target), span.base, span.top);
  });
}

}  // namespace

void begin(Tending& at, const std::vector<Span>& spans, core::Upkeep what) {
  const std::string begun = what == core::Upkeep::merge ? what::merge_begun : what::fold_begun;
  const auto& history = at.head().history;
  const bool known = !history.empty() && history.back().what == begun;
  if (known && (!at.previous || are_hidden(at, spans, at.previous->head))) return;
  commit(at, next_of(at, begun));
}

void give_up_older(Tending& at, const std::vector<Span>& spans) {
  const auto older = at.capsule.look_at_older();
  if (!older.unread.empty() && at.order.older == TendOrder::Older::kept)
    throw at.fault(Remedy::retry,
                   "generation " + std::to_string(older.unread.front().value) +
                       " can't be read, and it is not known what it needs",
                   "It is tried again later; satchelctl verify tells what is wrong.");
  std::vector<Sequence> gone = older.damaged;
  gone.insert(gone.end(), older.unread.begin(), older.unread.end());
  for (const auto& head : older.heads)
    if (!are_hidden(at, spans, head)) gone.push_back(head.generation.seq);
  at.capsule.give_up(gone);
}

void merge_span(Tending& at, const Span& span, const JobContext& job) {
  const auto& disk = at.disk(span.target);
  auto files = open_chain(at.capsule, at.head(), disk);
  const bool renewing = span.base > 0 && renews(at);
  const auto base = renewing ? renewed(at, span) : disk.chain[span.base];
  std::optional<std::string> below;
  if (span.base > 0) below = file_name(disk.chain[span.base - 1]);
  if (renewing) {
    disk::create_overlay({at.capsule.path_for_child(base), disk.virtual_size, below});
    files.insert(files.begin() + static_cast<std::ptrdiff_t>(span.base),
                 at.capsule.open_object(base, format::CapsuleDirectory::Access::read_write));
  } else {
    files[span.base] =
        at.capsule.open_checked(at.object(base), format::CapsuleDirectory::Access::read_write);
  }
  disk::Expected expected{below, disk.virtual_size};
  expected.size = disk::Expected::Size::at_most;
  const auto wrong = disk::check_qcow2(files[span.base].get(), expected);
  if (!wrong.empty()) throw at.fault(Remedy::other_device, base + " " + to_string(wrong), {});
  disk::ChainMerge merge;
  for (const auto& file : files) merge.files.push_back(file.get());
  merge.base = span.base;
  merge.top = span.top + (renewing ? 1 : 0);
  merge.bytes_per_second = at.order.bytes_per_second;
  merge.readers = at.readers;
  disk::merge_chain(
      merge, job.meter->begin((span.base == 0 ? "folding disk " : "merging disk ") + span.target),
      job.stop);
}

void commit_merged(Tending& at, const std::vector<Span>& spans, const JobContext& job) {
  auto next = next_of(at, what::merge);
  const bool renewing = renews(at);
  if (renewing) next.epoch += 1;
  for (const auto& span : spans) {
    const auto base = renewing ? renewed(at, span) : at.disk(span.target).chain[span.base];
    if (renewing)
      add_object(next,
                 at.capsule.adopt_object(base, job.meter->begin("reading back " + base), job.stop));
    else
      take_in(at, next, base, job);
    for (auto& disk : next.disks) {
      if (disk.target != span.target) continue;
      const auto first = disk.chain.begin() + static_cast<std::ptrdiff_t>(span.base) + 1;
      disk.chain.erase(first, disk.chain.begin() + static_cast<std::ptrdiff_t>(span.top) + 1);
      disk.chain[span.base] = base;
    }
  }
  drop_unnamed_objects(next);
  job.meter->name("committing");
  commit(at, std::move(next));
}

void commit_folded(Tending& at, const std::vector<Span>& spans, const JobContext& job) {
  auto next = next_of(at, what::fold);
  next.epoch += 1;
  for (const auto& span : spans) {
    const auto& chain = at.disk(span.target).chain;
    take_in(at, next, chain[0], job);
    const auto cow = format::cow_path(span.target, next.epoch);
    disk::create_overlay(disk::NewOverlay{at.capsule.path_for_child(cow),
                                          at.disk(span.target).virtual_size, file_name(chain[0])});
    add_object(next, at.capsule.adopt_object(cow, {}, job.stop));
    for (auto& disk : next.disks)
      if (disk.target == span.target) disk.chain = {chain[0], cow};
  }
  drop_unnamed_objects(next);
  job.meter->name("committing");
  commit(at, std::move(next));
}

void keep_up(Tending& at, const std::string& what) {
  if (auto& session = at.order.session) {
    follow(*session, at.head());
    at.parts.shelf.save(*session);
  }
  try {
    sweep(at.parts.config, at.capsule, at.head());
    const auto& generation = at.head().generation;
    at.capsule.append_log("generation " + std::to_string(generation.seq.value) + " by " +
                          generation.host_name + ", " + what);
  } catch (const Fault& failure) {
    at.parts.log.warning(std::string(failure.what()) + "; it is tried again after the next commit");
  }
}

void expect(const Tending& at, const std::vector<Span>& spans, Meter& meter) {
  auto sum = size_of(files_of(at, spans));
  for (const auto& span : spans) {
    const auto& chain = at.disk(span.target).chain;
    for (auto i = span.base + 1; i <= span.top; ++i)
      sum = sum + at.object(chain[i]).size + at.object(chain[i]).size;
    sum = sum + at.object(chain[span.base]).size;
  }
  meter.expect_more(sum);
}

}  // namespace satchel::tending
