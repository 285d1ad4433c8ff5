// Files below a device's directory: opened without following any link, written and synced with
// every error told, read past the page cache. Inside lib/format only. Blocking; one thread a file.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/beneath.hpp"
#include "base/fault.hpp"
#include "base/handle.hpp"

namespace satchel::format {

/// A value, or errno.
template <class T>
using OrErrno = tl::expected<T, int>;

/// As open_beneath(), and refuses what is no regular file with EINVAL.
OrErrno<UniqueFd> open_file(int directory, const std::string& path, int access);
/// A descriptor of its own for a directory, fit for fsync(2) and readdir(3).
OrErrno<UniqueFd> open_directory(int directory, const std::string& path);
/// One that only we may change: EPERM when it is somebody else's or others may write to it.
OrErrno<UniqueFd> open_own_directory(int directory, const std::string& path);

enum class Made { now, before };
/// Makes `name` in `directory` unless it is there.
Made make_directory(int directory, const std::string& name, mode_t mode, const std::string& shown);
/// A new file for writing; EEXIST when anything has this name.
UniqueFd create_file(int directory, const std::string& name, const std::string& shown);
/// Sets the mode where the filesystem has modes.
void set_mode(int fd, mode_t mode, const std::string& shown);
/// Removes a file or a link; that it is absent already is good as well.
void remove_file(int directory, const std::string& name, const std::string& shown);

void write_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes,
              const std::string& shown);
void sync_file(int fd, const std::string& shown);
/// Where a FUSE filesystem has no fsync of directories (EINVAL): syncfs.
void sync_directory(int fd, const std::string& shown);

/// The whole file; EFBIG when it is larger than `limit`.
OrErrno<std::string> read_whole(int directory, const std::string& path, std::size_t limit);

enum class CacheBypass { direct, dropped /* O_DIRECT was refused; the cache was told to forget */ };
struct PastCache {
  std::string bytes;
  CacheBypass how;
};
/// The whole file as the medium has it, not the page cache; EFBIG when it is larger than `limit`.
OrErrno<PastCache> read_past_cache(int directory, const std::string& path, std::size_t limit);

/// The names in a directory, without "." and "..", sorted; E2BIG when they are too many.
OrErrno<std::vector<std::string>> list_names(int directory);
/// The same, or a Fault.
std::vector<std::string> names_in(int directory, const std::string& shown);

/// Errors of the medium or the filesystem on it, as opposed to those of this computer.
bool is_medium_error(int error);
/// The medium's errors and those of a path that is absent or no plain path.
bool is_foreign_error(int error);
/// strerror, in better words where a device is concerned.
std::string why_of(int error);

template <class T>
T or_fault(OrErrno<T> value, const std::string& doing, const std::string& shown) {
  if (value) return std::move(*value);
  if (!is_foreign_error(value.error()) || is_medium_error(value.error()))
    throw fault_from_errno(value.error(), doing, shown);
  throw Fault(Remedy::other_device, {doing, shown, why_of(value.error()), {}});
}

}  // namespace satchel::format
