#include "format/files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <system_error>

namespace satchel::format {
namespace {

/// No directory of ours comes near it.
constexpr std::size_t most_names = 65536;

/// Covers the logical block size of any medium: offsets and lengths of O_DIRECT are multiples of
/// it.
constexpr std::size_t direct_step = 64U << 10;

std::size_t rounded_up(std::size_t n) { return (n + direct_step - 1) / direct_step * direct_step; }

using AlignedBytes = Handle<char, std::free>;

// Reads to the end or to `capacity`. Gives the number of bytes.
OrErrno<std::size_t> read_up_to(int fd, char* out, std::size_t capacity) {
  std::size_t done = 0;
  while (done < capacity) {
    const ssize_t n = ::pread(fd, out + done, capacity - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected(errno);
    done += static_cast<std::size_t>(n);
    // A short read ends the file; going on from an unaligned place would fail under O_DIRECT.
    if (n == 0 || done % direct_step != 0) break;
  }
  return done;
}

OrErrno<std::string> read_open_file(int fd, std::size_t limit) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) return tl::unexpected(errno);
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size > limit) return tl::unexpected(EFBIG);
  const std::size_t capacity = rounded_up(static_cast<std::size_t>(size) + 1);
  const AlignedBytes buffer(static_cast<char*>(std::aligned_alloc(direct_step, capacity)));
  if (!buffer) return tl::unexpected(ENOMEM);
  const auto n = read_up_to(fd, buffer.get(), capacity);
  if (!n) return tl::unexpected(n.error());
  if (*n > limit) return tl::unexpected(EFBIG);
  return std::string(buffer.get(), *n);
}

bool is_ours_alone(const struct stat& about) {
  return about.st_uid == ::geteuid() && (about.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace

OrErrno<UniqueFd> open_own_directory(int directory, const std::string& path) {
  auto fd = open_directory(directory, path);
  if (!fd) return fd;
  struct stat about {};
  if (::fstat(fd->get(), &about) != 0) return tl::unexpected(errno);
  if (!is_ours_alone(about)) return tl::unexpected(EPERM);
  return fd;
}

OrErrno<UniqueFd> open_file(int directory, const std::string& path, int access) {
  // Without O_NONBLOCK a FIFO in the place of a file would hold us up for ever.
  auto fd = open_beneath(directory, path, access | O_NONBLOCK);
  if (!fd) return fd;
  struct stat about {};
  if (::fstat(fd->get(), &about) != 0) return tl::unexpected(errno);
  if (!S_ISREG(about.st_mode)) return tl::unexpected(EINVAL);
  // A second name, or somebody else's: it could be changed between our look and QEMU's.
  if (!is_ours_alone(about) || about.st_nlink != 1) return tl::unexpected(EPERM);
  const int flags = ::fcntl(fd->get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd->get(), F_SETFL, flags & ~O_NONBLOCK) != 0)
    return tl::unexpected(errno);
  return fd;
}

OrErrno<UniqueFd> open_directory(int directory, const std::string& path) {
  return open_beneath(directory, path, O_RDONLY | O_DIRECTORY);
}

Made make_directory(int directory, const std::string& name, mode_t mode, const std::string& shown) {
  if (::mkdirat(directory, name.c_str(), mode) != 0) {
    if (errno == EEXIST) return Made::before;
    throw fault_from_errno(errno, "make the directory", shown);
  }
  const auto made = or_fault(open_directory(directory, name), "open the directory", shown);
  set_mode(made.get(), mode, shown);
  return Made::now;
}

UniqueFd create_file(int directory, const std::string& name, const std::string& shown) {
  UniqueFd fd(::openat(directory, name.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw fault_from_errno(errno, "make", shown);
  return fd;
}

void set_mode(int fd, mode_t mode, const std::string& shown) {
  if (::fchmod(fd, mode) == 0) return;
  // FAT and its like have no modes: what the mount says holds there.
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
    throw fault_from_errno(errno, "set the mode of", shown);
}

void remove_file(int directory, const std::string& name, const std::string& shown) {
  if (::unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT)
    throw fault_from_errno(errno, "remove", shown);
}

void write_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes,
              const std::string& shown) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw fault_from_errno(errno, "write", shown);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void sync_file(int fd, const std::string& shown) {
  if (::fsync(fd) != 0) throw fault_from_errno(errno, "write through to the device", shown);
}

void sync_directory(int fd, const std::string& shown) {
  if (::fsync(fd) == 0) return;
  if (errno != EINVAL || ::syncfs(fd) != 0)
    throw fault_from_errno(errno, "write through to the device", shown);
}

OrErrno<std::string> read_whole(int directory, const std::string& path, std::size_t limit) {
  const auto fd = open_file(directory, path, O_RDONLY);
  if (!fd) return tl::unexpected(fd.error());
  return read_open_file(fd->get(), limit);
}

OrErrno<PastCache> read_past_cache(int directory, const std::string& path, std::size_t limit) {
  // Asked of a plain descriptor first: EINVAL from here on can only mean that O_DIRECT is refused.
  const auto plain = open_file(directory, path, O_RDONLY);
  if (!plain) return tl::unexpected(plain.error());
  if (const auto direct = open_file(directory, path, O_RDONLY | O_DIRECT)) {
    auto bytes = read_open_file(direct->get(), limit);
    if (bytes) return PastCache{std::move(*bytes), CacheBypass::direct};
    if (bytes.error() != EINVAL) return tl::unexpected(bytes.error());
  } else if (direct.error() != EINVAL && direct.error() != EOPNOTSUPP) {
    return tl::unexpected(direct.error());
  }
  // Drops clean pages only; what was fsynced is clean.
  if (const int error = ::posix_fadvise(plain->get(), 0, 0, POSIX_FADV_DONTNEED); error != 0)
    return tl::unexpected(error);
  auto bytes = read_open_file(plain->get(), limit);
  if (!bytes) return tl::unexpected(bytes.error());
  return PastCache{std::move(*bytes), CacheBypass::dropped};
}

OrErrno<std::vector<std::string>> list_names(int directory) {
  // A description of its own: the place in the directory is not shared with the caller's.
  auto fd = open_directory(directory, ".");
  if (!fd) return tl::unexpected(fd.error());
  const Handle<DIR, ::closedir> stream(::fdopendir(fd->get()));
  if (!stream) return tl::unexpected(errno);
  fd->release();
  std::vector<std::string> out;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") out.emplace_back(name);
    if (out.size() > most_names) return tl::unexpected(E2BIG);
    errno = 0;
  }
  if (errno != 0) return tl::unexpected(errno);
  std::ranges::sort(out);
  return out;
}

std::vector<std::string> names_in(int directory, const std::string& shown) {
  return or_fault(list_names(directory), "list", shown);
}

bool is_medium_error(int error) { return is_disk_error(error); }

bool is_foreign_error(int error) {
  return is_medium_error(error) || error == ENOENT || error == ENOTDIR || error == EISDIR ||
         error == ELOOP || error == EXDEV || error == EINVAL || error == EFBIG || error == EPERM ||
         error == E2BIG;
}

std::string why_of(int error) {
  switch (error) {
    case ENOENT:
      return "it is missing";
    case ELOOP:
      return "it is a symbolic link, which has no place here";
    case EPERM:
      return "others than root may change it: its owner, its mode or a second name of it";
    case EXDEV:
      return "it leads out of its directory";
    case EINVAL:
    case EISDIR:
      return "it is no regular file";
    case EFBIG:
      return "it is larger than it can rightly be";
    case E2BIG:
      return "it has too many entries";
    default:
      return std::generic_category().message(error);
  }
}

}  // namespace satchel::format
