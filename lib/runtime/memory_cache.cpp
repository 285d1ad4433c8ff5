#include "runtime/memory_cache.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/fault.hpp"
#include "base/host_fault.hpp"
#include "hibernation/stream_parser.hpp"
#include "runtime/host_room.hpp"

namespace satchel {

namespace fs = std::filesystem;

namespace {

/// What a file takes of the disk; none: it is not there.
std::optional<ByteCount> allocated(const fs::path& file) {
  struct stat about {};
  if (::lstat(file.c_str(), &about) != 0) return std::nullopt;
  return ByteCount(static_cast<std::uint64_t>(about.st_blocks) * 512);
}

}  // namespace

MemoryCache::MemoryCache(fs::path directory, const Config& config, Log& log)
    : directory_(std::move(directory)),
      most_(config.cache.memory),
      keep_free_(config.space.keep_free_host),
      log_(log) {
  for (const auto& [capsule, settings] : config.capsules)
    if (settings.privacy == Privacy::kept) private_.insert(capsule);
}

std::optional<hibernation::LocalSegments> MemoryCache::of(CapsuleId capsule) const {
  if (most_.value == 0 || private_.contains(capsule)) return std::nullopt;
  return hibernation::LocalSegments(directory_ / capsule.value.str());
}

std::vector<MemoryCache::Copy> MemoryCache::copies_in(const fs::path& place) {
  std::vector<Copy> out;
  std::error_code failed;
  for (auto at = fs::recursive_directory_iterator(place, failed);
       !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
    std::error_code gone;
    if (!at->is_regular_file(gone)) continue;
    const auto size = allocated(at->path());
    const auto used = at->last_write_time(gone);
    if (size && !gone) out.push_back({at->path(), used, *size});
  }
  std::ranges::sort(out, {}, &Copy::used);
  return out;
}

/// A launch that is broken off may leave half of a memory there.
bool MemoryCache::evict(const Copy& copy) const {
  distrust();
  std::error_code failed;
  return fs::remove(copy.path, failed);
}

/// Whether so much more may be kept, once copies that are longest unused have made way.
bool MemoryCache::make_room(std::span<const fs::path> kept, ByteCount more) const {
  auto there = copies_in(directory_);
  ByteCount sum = more;
  ByteCount stays = more;
  for (const auto& each : there) {
    sum = sum + each.size;
    if (std::ranges::count(kept, each.path) > 0) stays = stays + each.size;
  }
  const ByteCount spare(sum.value - stays.value);
  // What can't be kept whatever makes way costs nobody his copies.
  if (stays > most_ || free_space(directory_.parent_path()) + spare < keep_free_ + more)
    return false;
  const auto fits = [&] {
    return sum <= most_ && free_space(directory_.parent_path()) >= keep_free_ + more;
  };
  for (const auto& each : there) {
    if (fits()) return true;
    if (std::ranges::count(kept, each.path) > 0) continue;
    if (evict(each)) sum = ByteCount(sum.value - each.size.value);
  }
  return fits();
}

void MemoryCache::give_way(ByteCount free) const {
  for (const auto& each : copies_in(directory_)) {
    if (free_space(directory_.parent_path()) >= keep_free_ + free) return;
    evict(each);
  }
}

std::optional<hibernation::LocalUse> MemoryCache::use(
    CapsuleId capsule, std::span<const hibernation::Segment> segments) const {
  auto local = of(capsule);
  if (!local) return std::nullopt;
  std::vector<fs::path> kept;
  ByteCount more;
  const auto keep = [&](fs::path copy, ByteCount size) {
    const auto there = allocated(copy).value_or(ByteCount());
    if (there < size) more = more + ByteCount(size.value - there.value);
    kept.push_back(std::move(copy));
  };
  for (const auto& segment : segments) {
    keep(local->path_of(segment), segment.size);
    keep(local->path_of_borrowed(segment), ByteCount(segment.borrowed * hibernation::page_size));
  }
  const auto grows = make_room(kept, more) ? hibernation::LocalCopy::Grows::yes
                                           : hibernation::LocalCopy::Grows::no;
  return hibernation::LocalUse{std::move(*local), grows};
}

bool MemoryCache::keep(CapsuleId capsule, std::span<const hibernation::Segment> segments,
                       Own own) const {
  const auto local = of(capsule);
  if (!local || segments.empty()) return false;
  try {
    distrust();  // what earlier generations alone referred to goes
    local->keep_only(segments);
    std::vector<fs::path> kept;
    for (const auto& each : segments)
      kept.insert(kept.end(), {local->path_of(each), local->path_of_borrowed(each)});
    // The file is on the disk already.
    if (!make_room(kept, ByteCount())) return false;
    local->adopt(own.pages, segments.front());
    if (segments.front().borrowed > 0) local->adopt_borrowed(own.borrowed, segments.front());
    return true;
  } catch (const Fault& failure) {
    log_.warning(std::string(failure.what()) + "; the machine's memory is read of its device");
    return false;
  }
}

void MemoryCache::note_whole(const Digest& map) {
  const std::lock_guard lock(mutex_);
  whole_.insert(map);
}

bool MemoryCache::is_whole(const Digest& map) const {
  const std::lock_guard lock(mutex_);
  return whole_.contains(map);
}

void MemoryCache::distrust() const {
  const std::lock_guard lock(mutex_);
  whole_.clear();
}

ByteCount MemoryCache::drop(std::optional<CapsuleId> capsule) const {
  distrust();
  const auto place = capsule ? directory_ / capsule->value.str() : directory_;
  ByteCount freed;
  for (const auto& each : copies_in(place)) freed = freed + each.size;
  std::error_code failed;
  fs::remove_all(place, failed);
  if (failed) throw host_fault_from_errno(failed.value(), "clear", place.string());
  return freed;
}

void MemoryCache::tidy() const {
  try {
    for (const auto& capsule : private_) drop(capsule);
    if (most_.value > 0) {
      make_room({}, ByteCount());
      return;
    }
    drop({});
  } catch (const Fault& failure) {
    log_.warning(std::string(failure.what()) + "; it holds memory of machines that were here");
  }
}

}  // namespace satchel
