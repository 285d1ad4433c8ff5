// The host's folder: opened without following any link, into no other mount, at any depth.
// Inside lib/sync only. Blocking; one thread.
#pragma once

#include <time.h>

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "base/handle.hpp"
#include "base/ids.hpp"
#include "sync/model.hpp"

namespace satchel::sync {

/// A value, or errno.
template <class T>
using OrErrno = tl::expected<T, int>;

/// What stands at a name, by statx(2).
struct Found {
  Kind kind = Kind::other;
  Stamp stamp;
  std::uint64_t device = 0;
  std::uint32_t owner = 0;
  enum class Mount { no, yes } mount = Mount::no;
  std::string_view what;  ///< of Kind::other, "socket"
};

OrErrno<Found> look(int directory, const std::string& name);
OrErrno<Found> look(int fd);

/// The names in a directory; none when it can't be read.
std::vector<std::string> names_in(int directory);

timespec time_of(UnixNanos when);

class HostTree {
 public:
  /// `target` stays the caller's.
  HostTree(int target, std::string shown) : target_(target), shown_(std::move(shown)) {}

  int target() const { return target_; }
  /// For messages: where this path is.
  std::string shown_path(std::string_view path) const;

  /// A descriptor of the directory, good until the next call; "" is the folder itself.
  OrErrno<int> directory(std::string_view path);
  /// Forgets descriptors of this directory and of what is below it.
  void forget(std::string_view path);
  /// Makes the directories of this path that are not there, with mode 0700.
  OrErrno<int> make_directories(const std::string& path);

  OrErrno<Found> find(std::string_view path);
  /// A regular file for reading; EINVAL when it is something else.
  OrErrno<UniqueFd> open_file(std::string_view path);

 private:
  OrErrno<int> keep(std::string path, OrErrno<UniqueFd> fd);

  int target_;
  std::string shown_;
  std::list<std::pair<std::string, UniqueFd>> open_;  // the last used first
};

}  // namespace satchel::sync
