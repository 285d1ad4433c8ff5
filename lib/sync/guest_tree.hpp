// What the sync needs of a guest's filesystem: one folder of a committed generation, listed and
// read, never written. lib/guestfs has the real one; tests use a plain directory. Blocking; one
// thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stop_token>
#include <string>

#include "base/ids.hpp"
#include "sync/entry.hpp"

namespace satchel::sync {

using EntrySink = std::function<void(Entry)>;

/// Takes files' contents, one file at a time: begin, any number of data and hole, end. What a call
/// throws passes through read(), which is then over.
class ContentSink {
 public:
  virtual ~ContentSink() = default;
  virtual void begin(const std::string& path) = 0;
  virtual void data(std::span<const std::byte> bytes) = 0;
  virtual void hole(ByteCount length) = 0;  ///< so many bytes that read as zero
  virtual void end() = 0;
  /// This file can't be read, or not to its end: instead of begin, or instead of end.
  virtual void unreadable(const std::string& path, const std::string& why) = 0;
};

/// The tree below one guest path. It stands still while it is read: it is of a generation.
class GuestTree {
 public:
  virtual ~GuestTree() = default;

  /// Gives everything below the root, each name once, in any order; the root itself is not among
  /// it. Throws Fault when the root is not there or anything could not be listed whose absence
  /// would not show (see Entry::what): what is not listed counts as deleted in the guest.
  virtual void list(const EntrySink& to, std::stop_token stop) = 0;

  /// Gives the contents of these files, each once, in any order. Thousands of paths come in one
  /// call, so that an implementation may fetch them in few round trips; they are sorted, a
  /// folder's together. Throws Fault when reading ends as a whole, Remedy::retry when stopped.
  virtual void read(std::span<const std::string> paths, ContentSink& to, std::stop_token stop) = 0;
};

}  // namespace satchel::sync
