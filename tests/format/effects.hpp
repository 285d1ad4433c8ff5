// What the code under test does to files, seen at the C library (the linker leads the calls here):
// recorded in order, and made to fail at will. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace satchel::format {

struct Effect {
  enum class Kind { create, make_directory, remove, write, truncate, sync };
  Kind kind;
  std::string path;  ///< absolute
  std::uint64_t offset = 0;
  std::string bytes;
};

struct Effects {
  std::vector<Effect> log;
  std::size_t count = 0;               ///< of all calls, those that failed included
  std::optional<std::size_t> fail_at;  ///< the number of the call that fails
  bool fails_on = false;               ///< all later calls fail as well: the device is gone
  int error = 0;
  /// A sync that leaves this errno for directories, as some FUSE filesystems do.
  std::optional<int> directory_sync_error;

  /// Reading a file whose path ends so leaves that errno, from this offset on.
  struct BadPlace {
    std::string path;
    int error = 0;
    std::uint64_t offset = 0;
  };
  std::optional<BadPlace> bad_place;
  /// Listing a directory whose path ends so leaves that errno.
  std::pair<std::string, int> unlistable;
  bool refuses_direct = false;                ///< O_DIRECT is EINVAL, as on some filesystems
  std::map<std::string, std::uint64_t> read;  ///< bytes by the file's name

  /// Switches recording on while `run` runs.
  void during(const std::function<void()>& run);
};

}  // namespace satchel::format
