#include "runtime/jobs/compacting.hpp"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "hibernation/alive_cells.hpp"
#include "hibernation/borrowed_again.hpp"
#include "hibernation/cell_tags.hpp"
#include "hibernation/handoff.hpp"
#include "runtime/heads.hpp"
#include "runtime/host_room.hpp"
#include "runtime/jobs/rescue.hpp"
#include "runtime/memory_file.hpp"
#include "runtime/pace.hpp"
#include "runtime/sessions.hpp"

namespace satchel::tending {

namespace {

Fault stopped() {
  return Fault(Remedy::retry, Fault::Text{"compact", "the machine's memory", "it was stopped", {}});
}

/// Carries the stream from the thread that reads the memory there is to those that write it anew.
class Relay {
 public:
  void give(std::span<const std::byte> bytes, std::stop_token stop) {
    filling_.insert(filling_.end(), bytes.begin(), bytes.end());
    if (filling_.size() >= at_once) pass_on(std::move(stop));
  }
  void close(std::stop_token stop) {
    pass_on(std::move(stop));
    pieces_.close();
  }
  void fail(std::exception_ptr why) { pieces_.close(std::move(why)); }

  std::size_t take(std::span<std::byte> into, const std::stop_token& stop) {
    if (taken_ == taking_.size()) {
      auto next = pieces_.take(stop);
      if (!next && stop.stop_requested()) throw stopped();
      if (!next) return 0;
      taking_ = std::move(*next);
      taken_ = 0;
    }
    const auto n = std::min(into.size(), taking_.size() - taken_);
    std::copy_n(taking_.begin() + static_cast<std::ptrdiff_t>(taken_), n, into.begin());
    taken_ += n;
    return n;
  }

 private:
  static constexpr std::size_t at_once = 1U << 20;

  void pass_on(std::stop_token stop) {
    if (filling_.empty()) return;
    if (!pieces_.give(std::exchange(filling_, {}), std::move(stop))) throw stopped();
  }

  hibernation::Handoff<std::vector<std::byte>> pieces_{4};
  std::vector<std::byte> filling_;
  std::vector<std::byte> taking_;
  std::size_t taken_ = 0;
};

ByteCount sum_of(const std::vector<hibernation::Segment>& segments) {
  ByteCount out;
  for (const auto& each : segments) out = out + each.size;
  return out;
}

/// What is written, and what of that memory stays where it is.
struct Plan {
  hibernation::PageMap before;
  hibernation::PageBase base;
  ByteCount at_most;  ///< bytes of the device, about
};

Plan plan(Tending& at, hibernation::PageMap map, const JobContext& job) {
  const auto& head = at.head();
  Plan out{std::move(map), {}, {}};
  if (at.order.extent == TendOrder::Extent::worn) {
    Pace pace{ByteCount(at.order.bytes_per_second)};
    ByteCount read;
    const auto checked = [&, told = job.meter->begin("checking the device")](const Progress& done) {
      pace.spend(ByteCount(done.done.value - std::exchange(read, done.done).value), job.stop);
      told(done);
    };
    // With the new one there are no more than the next eject refers to.
    out.base = checked_base(at.parts, *at.order.stick, at.capsule, head,
                            hibernation::most_referred - 1, checked, job.stop);
    out.at_most = hibernation::worn(out.before);
  } else {
    out.base.key = out.before.key;
    out.at_most = sum_of(out.before.segments);
  }
  std::vector<std::string> targets;
  for (const auto& disk : head.disks) targets.push_back(disk.target);
  out.base.disks = hibernation::borrowed_again(out.before, segment_opener(at.capsule, head),
                                               std::move(targets), out.base.segments);
  if (at.order.session) out.base.tags = at.parts.tags->of(head.capsule);
  return out;
}

/// Bytes that may be written.
struct Allowance {
  ByteCount free;
  ByteCount largest_file;
  std::uint64_t written = 0;

  bool has(std::uint64_t more) const {
    return written + more <= free.value && written + more <= largest_file.value;
  }
};

Fault no_room(const Tending& at, const Allowance& room, ByteCount needed) {
  if (room.largest_file < room.free)
    return at.fault(Remedy::other_device,
                    "it might become larger than a file may be on this device",
                    "Use a device formatted with ext4 or exFAT (satchelctl format).");
  return at.fault(Remedy::free_space,
                  "the device has " + to_string(room.free) + " to spare and about " +
                      to_string(needed) + " are needed",
                  "Delete something from the device; the machine is not affected.");
}

Allowance allowance(const Tending& at, ByteCount needed) {
  const auto room = at.capsule.room();
  const auto kept = at.parts.config.space.keep_free_device;
  Allowance out{ByteCount(room.free.value - std::min(room.free, kept).value), room.largest_file};
  if (!out.has(needed.value)) throw no_room(at, out, needed);
  return out;
}

bool is_kept_here(const Tending& at) {
  const auto local = at.parts.cache->of(at.head().capsule);
  return local && std::filesystem::exists(local->directory());
}

/// A copy on this computer, for its cache; or one that takes nothing.
Rescue copy_here(const Tending& at) {
  if (!is_kept_here(at)) return {at.order.stick, {}, ByteCount()};
  const auto directory = at.parts.cache->of(at.head().capsule)->directory();
  const auto free = free_space(directory).value;
  const auto room = free - std::min(free, at.parts.config.space.keep_free_host.value);
  return {at.order.stick, directory, ByteCount(room)};
}

/// The memory there is, read on a thread of its own.
class Reading {
 public:
  Reading(Tending& at, const hibernation::PageMap& map, unsigned threads, std::stop_token job)
      : pace_(ByteCount(at.order.bytes_per_second)),
        share_(std::min(1.0, static_cast<double>(sum_of(map.segments).value) /
                                 static_cast<double>(map.stream_size.value))),
        memory_(at.capsule, at.head(), fifo_directory(at.parts, at.head().capsule),
                is_kept_here(at) ? at.parts.cache.get() : nullptr),
        thread_([this, threads](const std::stop_token& stop) { read(threads, stop); }),
        on_stop_(std::move(job), [this] { thread_.request_stop(); }) {}

  std::size_t take(std::span<std::byte> into, const std::stop_token& stop) {
    return relay_.take(into, stop);
  }
  /// When all was taken.
  hibernation::Decoded end() {
    thread_.join();
    return *decoded_;
  }

 private:
  void read(unsigned threads, const std::stop_token& stop) {
    try {
      const auto pass_on = [&](std::span<const std::byte> bytes) {
        relay_.give(bytes, stop);
        const auto read = static_cast<double>(bytes.size()) * share_;
        pace_.spend(ByteCount(static_cast<std::uint64_t>(read)), stop);
      };
      decoded_ = memory_.decode(pass_on, threads, {}, stop);
      relay_.close(stop);
    } catch (...) {
      relay_.fail(std::current_exception());
    }
  }

  Pace pace_;
  double share_;  ///< of the stream, what is read of the device for it: hardly more than it has
  MemoryFile memory_;
  Relay relay_;
  std::optional<hibernation::Decoded> decoded_;
  std::jthread thread_;
  std::stop_callback<std::function<void()>> on_stop_;
};

struct Written {
  hibernation::EncodedPages encoded;
  hibernation::Decoded read;
  format::Object pages;
};

Written write_anew(Tending& at, Plan plan, Sequence number, Rescue& copy, const JobContext& job) {
  auto room = allowance(at, plan.at_most);
  // In the background one core is enough.
  const auto threads = at.order.bytes_per_second > 0 ? 1U : worker_threads(at.parts.config);
  Pace pace{ByteCount(at.order.bytes_per_second)};
  auto pages = at.capsule.create_object(pages_object(number.value));
  hibernation::PageSinks sinks;
  sinks.segment = [&](std::span<const std::byte> bytes) {
    if (!room.has(bytes.size())) throw no_room(at, room, ByteCount(room.written + bytes.size()));
    pages.write(bytes);
    room.written += bytes.size();
    copy.write(bytes);
    pace.spend(ByteCount(bytes.size()), job.stop);
  };
  if (copy.is_kept())
    sinks.borrowed = [&](std::span<const std::byte> bytes) { copy.write_borrowed(bytes); };
  hibernation::PageEncoderSettings settings{at.parts.config.compression.level, threads,
                                            number.value};
  settings.own_tags = hibernation::PageEncoderSettings::OwnTags::wanted;
  // The sink waits for its pace, not for the device.
  if (at.order.bytes_per_second > 0)
    settings.level_is = hibernation::PageEncoderSettings::Level::as_set;
  Reading reading(at, plan.before, threads, job.stop);
  auto encoded = hibernation::encode_pages(
      [&](std::span<std::byte> into, const std::stop_token& stop) {
        return reading.take(into, stop);
      },
      sinks, std::move(plan.base), settings, job.meter->begin("writing memory"), job.stop);
  copy.finish(encoded.map);
  return {std::move(encoded), reading.end(), pages.finish()};
}

/// The new segment stays here too, beside those that are still referred to.
void keep_here(const Tending& at, const Written& written, const Rescue& copy) {
  const auto& head = at.head();
  if (const auto tags = at.parts.tags->of(head.capsule)) tags->keep_only(written.encoded.segments);
  if (!copy.is_whole()) return;
  const auto& parts = at.parts;
  if (parts.cache->keep(head.capsule, written.encoded.segments, {copy.own(), copy.borrowed()}) &&
      written.read.is_copied)
    parts.cache->note_whole(head.find(head.hibernation->map)->digest);
}

format::Head with_memory(format::Head next, const Written& written, format::Object map) {
  auto& saved = *next.hibernation;
  saved.codec = written.encoded.codec();
  saved.pages = written.pages.path;
  saved.map = map.path;
  saved.segments = earlier_segments(written.encoded);
  add_object(next, written.pages);
  add_object(next, std::move(map));
  drop_unnamed_objects(next);
  return next;
}

}  // namespace

std::string compact(Tending& at, const JobContext& job) {
  if (!has_pages(at.head())) return {};
  auto map = memory_map(at.capsule, at.head());
  const bool is_needless = at.order.extent == TendOrder::Extent::worn
                               ? hibernation::worn(map).value == 0
                               : hibernation::is_compact(map);
  if (is_needless) return {};
  const auto before = sum_of(map.segments);
  const auto files = map.segments.size();
  job.meter->expect(map.stream_size);
  auto work = plan(at, std::move(map), job);
  auto next = next_of(at, what::compact);
  const auto number = next.generation.seq;
  auto copy = copy_here(at);
  const auto written = write_anew(at, std::move(work), number, copy, job);
  if (written.encoded.stream_size != at.head().hibernation->stream_size)
    throw at.fault(Remedy::report_bug, "it did not come out as it was", {});
  auto stored = store_bytes(at.capsule, written.encoded.map,
                            "memory/" + std::to_string(number.value) + ".map");
  job.meter->name("committing");
  const auto& seen = at.head().find(at.head().hibernation->map)->digest;
  const bool base_seen =
      at.order.extent == TendOrder::Extent::all || at.order.stick->has_seen_memory(seen);
  commit(at, with_memory(std::move(next), written, std::move(stored)));
  if (base_seen) at.order.stick->note_base_seen(at.head().find(at.head().hibernation->map)->digest);
  keep_here(at, written, copy);
  keep_up(at, what::compact);
  const auto now = written.encoded.segments.size();
  return "Its memory takes " + to_string(sum_of(written.encoded.segments)) + " of the device in " +
         std::to_string(now) + (now == 1 ? " file" : " files") + "; it was " + to_string(before) +
         " in " + std::to_string(files) + ".";
}

}  // namespace satchel::tending
