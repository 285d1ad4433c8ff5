// What a sync compares: the two sides as they are, and what is remembered of the last one. Values
// only; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "crypto/digest.hpp"
#include "sync/entry.hpp"
#include "sync/path.hpp"

namespace satchel::sync {

/// What tells without reading that nothing was written to a thing since.
struct Stamp {
  ByteCount size;
  UnixNanos mtime;
  UnixNanos changed;        ///< ctime
  std::uint64_t inode = 0;  ///< 0 in a guest
  std::uint32_t mode = 0;   ///< 07777
  bool operator==(const Stamp&) const = default;
};

/// Which version stands at a path. A directory's digest is all zero; a file's may not be known.
struct Version {
  Kind kind = Kind::other;
  ByteCount size;
  std::optional<Digest> digest;
  bool operator==(const Version&) const = default;
};

/// Whether a stamp alone may be believed: a write within the clock's step of the last one, or of
/// the look at it, would not show.
enum class Trust { by_digest, by_stamp };

/// One side's version as it was seen by a sync.
struct Seen {
  Version version;
  Stamp stamp;
  Trust trust = Trust::by_digest;
  bool operator==(const Seen&) const = default;
};

/// What is remembered of a path.
struct Record {
  Seen guest;                     ///< the guest's version that was dealt with last
  std::optional<Seen> host;       ///< the host's at that time; none: it was not there
  std::optional<Version> agreed;  ///< what both had when they last had the same
  bool operator==(const Record&) const = default;
};

using Records = std::map<std::string, Record, TreeOrder>;

/// One thing below the host's folder.
struct HostEntry {
  std::string path;
  Version version;
  Stamp stamp;
  Trust trust = Trust::by_digest;
  /// Not empty: why what is there can't be compared, nor what is below it; it is left alone.
  std::string closed;
};

/// One thing of the guest's listing that may come to the host, or why it may not.
struct GuestEntry {
  Entry entry;
  std::optional<Digest> digest;
  Trust trust = Trust::by_stamp;
  std::string refused;  ///< not empty: it is not carried, and why
};

/// A directory's is its mode alone: its times and its size tell of its content.
inline Stamp stamp_of(const Entry& entry) {
  if (entry.kind == Kind::directory) return {{}, {}, {}, 0, entry.mode};
  return {entry.size, entry.mtime, entry.changed, 0, entry.mode};
}

}  // namespace satchel::sync
