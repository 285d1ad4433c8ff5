// What stands at one place of a guest's tree, as it was listed. Values only; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.hpp"

namespace satchel::sync {

enum class Kind { file, directory, link, other };

/// One name below the root of a guest's tree. All of it is foreign: nothing is taken for granted
/// about its path, its sizes or its times.
struct Entry {
  std::string path;  ///< bytes, relative to the root, joined by '/', without one in front
  Kind kind = Kind::other;
  ByteCount size;        ///< of a file: its length
  ByteCount allocated;   ///< of a file: what its data takes up; size when that isn't known
  UnixNanos mtime;       ///< when the content was changed
  UnixNanos changed;     ///< ctime; 0 when the filesystem or the way of reading doesn't tell
  std::uint32_t mode{};  ///< 07777 of st_mode; 0644 and 0755 where the filesystem has no modes
  std::string link_target;
  /// other: what it is, "socket", "block device". A directory that could not be listed: why; what
  /// is below it then counts as not known, never as gone.
  std::string what;
};

}  // namespace satchel::sync
