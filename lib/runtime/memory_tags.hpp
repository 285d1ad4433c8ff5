// Tags of the memory of machines that run here, by which an eject or a checkpoint tells the pages
// that have not changed (docs/decisions/0031-known-pages-by-tags.md). They last as long as this
// process and the machine's session. Any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/ids.hpp"

namespace satchel {

namespace hibernation {
class CellTags;
}
struct Parts;

class MemoryTags {
 public:
  using Tags = std::shared_ptr<hibernation::CellTags>;

  /// Of the capsule's machine; none when nothing is known of its memory.
  Tags of(CapsuleId capsule) const {
    const std::lock_guard lock(mutex_);
    const auto found = tags_.find(capsule);
    return found == tags_.end() ? nullptr : found->second;
  }
  /// In place of those before.
  void keep(CapsuleId capsule, Tags tags) {
    const std::lock_guard lock(mutex_);
    tags_[capsule] = std::move(tags);
  }
  /// The session has ended.
  void drop(CapsuleId capsule) {
    const std::lock_guard lock(mutex_);
    tags_.erase(capsule);
  }

 private:
  mutable std::mutex mutex_;
  std::map<CapsuleId, Tags> tags_;  ///< guarded by mutex_
};

/// New ones, with files in the directory of the capsule's session, which is there. None where they
/// can't be made, or the disk has no room for those of so much memory. Files lane; throws nothing.
MemoryTags::Tags begin_tags(const Parts& parts, CapsuleId capsule, ByteCount memory);

}  // namespace satchel
