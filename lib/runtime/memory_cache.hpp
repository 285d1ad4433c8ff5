// What this computer keeps of the memory of machines that were here
// (docs/decisions/0024-memory-here.md): so that one that comes back is read from here, an eject has
// its second copy without writing it, and pages can be compared with what they were. Bounded, never
// believed, and harmless to lose. Blocking; on the files lane.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/log.hpp"
#include "config/config.hpp"
#include "hibernation/page_codec.hpp"

namespace satchel {

class MemoryCache {
 public:
  /// `directory` is made when something is kept.
  MemoryCache(std::filesystem::path directory, const Config& config, Log& log);

  /// The capsule's copies; none when nothing of it is kept here.
  std::optional<hibernation::LocalSegments> of(CapsuleId capsule) const;
  /// The same for a memory that is about to be read, with room made for it where that can be.
  std::optional<hibernation::LocalUse> use(CapsuleId capsule,
                                           std::span<const hibernation::Segment> segments) const;
  struct Own {
    int pages;     ///< the segment
    int borrowed;  ///< its borrowed cells
  };
  /// After a commit: these are the segments of its memory, and `own` has the files, whole and
  /// without a name, of the first of them. Others of the capsule go. False when it could not be
  /// kept; a failure is a warning.
  bool keep(CapsuleId capsule, std::span<const hibernation::Segment> segments, Own own) const;

  /// That the copies hold, checked since the daemon started, all that this map's memory needs.
  void note_whole(const Digest& map);
  bool is_whole(const Digest& map) const;

  /// Removes copies, those longest unused first, until so much is free on the disk besides what is
  /// to be kept free, or none is left.
  void give_way(ByteCount free) const;
  /// Nothing is known to be whole any more: whoever needs a second copy writes all of it.
  void distrust() const;
  /// Removes what is kept of the capsule, or of all; gives the bytes of the disk that it took.
  /// Throws Fault.
  ByteCount drop(std::optional<CapsuleId> capsule) const;
  /// Removes what the configuration does not allow to be here: at start. Failures are warnings.
  void tidy() const;

 private:
  struct Copy {
    std::filesystem::path path;
    std::filesystem::file_time_type used;
    ByteCount size;
  };
  /// Below a directory of the cache, those longest unused first.
  static std::vector<Copy> copies_in(const std::filesystem::path& place);
  bool make_room(std::span<const std::filesystem::path> kept, ByteCount more) const;
  bool evict(const Copy& copy) const;

  std::filesystem::path directory_;
  ByteCount most_;
  ByteCount keep_free_;
  std::set<CapsuleId> private_;  ///< nothing of these is kept
  Log& log_;
  mutable std::mutex mutex_;
  mutable std::set<Digest> whole_;  ///< digests of maps; guarded by mutex_
};

}  // namespace satchel
