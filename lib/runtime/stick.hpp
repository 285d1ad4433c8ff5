// A mounted device of ours: its place, and the one descriptor that keeps it mounted until we let
// go. Shared by the host and the jobs that work on it; loop thread, but for root() and
// free_space().
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "async/lanes.hpp"
#include "base/fault.hpp"
#include "base/handle.hpp"
#include "core/words.hpp"
#include "crypto/digest.hpp"
#include "ports/volumes.hpp"
#include "runtime/view.hpp"

namespace satchel {

/// Where this service can't write though the device can: mounted before it started, outside of the
/// places that its unit lets it write to (systemd/sandboxing.md). `flags`: of statvfs(3).
std::optional<Fault> walled_off(const Volume& volume, const std::string& mount_point,
                                unsigned long flags);

class Stick {
 public:
  Stick(core::Insertion insertion, std::uint64_t disk_sequence, Volume volume)
      : insertion_(insertion), disk_sequence_(disk_sequence), volume_(std::move(volume)) {}

  core::Insertion insertion() const { return insertion_; }
  /// The kernel's DISKSEQ: the same over a restart of the daemon, new at each insertion.
  std::uint64_t disk_sequence() const { return disk_sequence_; }
  const Volume& volume() const { return volume_; }
  const std::string& mount_point() const { return mount_point_; }
  bool is_open() const;
  /// Directory descriptor of the mounted filesystem; any thread. Whoever holds it keeps the
  /// descriptor, should the stick be closed meanwhile. Throws Fault when it is closed.
  std::shared_ptr<const UniqueFd> root() const;

  /// Mounts and opens it.
  Task<void> open(Volumes& volumes, Lane& files);
  /// What is left for us on it; blocks, so call it on the files lane.
  ByteCount free_space() const;
  /// That the memory which this map describes was read whole, or written, in this insertion; any
  /// thread.
  void note_memory_seen(const Digest& map);
  bool has_seen_memory(const Digest& map) const;
  void forget_memory_seen(const Digest& map);
  /// The same but for its own segment: it was written with a base that was seen.
  void note_base_seen(const Digest& map);
  bool has_seen_base(const Digest& map) const;
  /// That what it holds of this capsule's memory was found damaged: nothing of it is referred to
  /// any more in this insertion; any thread.
  void distrust_memory(CapsuleId capsule);
  bool distrusts_memory(CapsuleId capsule) const;
  /// Lets go of the mount, so that anybody's unmount succeeds. No error when it is not open.
  void close();

 private:
  core::Insertion insertion_;
  std::uint64_t disk_sequence_;
  Volume volume_;
  std::string mount_point_;
  mutable std::mutex mutex_;
  std::shared_ptr<const UniqueFd> root_;  ///< guarded by mutex_
  std::set<Digest> memory_seen_;          ///< digests of maps; guarded by mutex_
  std::set<Digest> base_seen_;            ///< the same
  std::set<CapsuleId> memory_damaged_;    ///< guarded by mutex_
};

}  // namespace satchel
