#include "format/effects.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <filesystem>

using satchel::format::Effect;
using satchel::format::Effects;

namespace {

Effects* current = nullptr;

std::string path_of(int fd, const char* name = nullptr) {
  const auto base = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)).string();
  return name ? base + "/" + name : base;
}

// True when the call must fail; errno is set then.
bool fails() {
  if (!current) return false;
  const std::size_t number = current->count++;
  const bool now = current->fail_at && (number == *current->fail_at ||
                                        (current->fails_on && number > *current->fail_at));
  if (now) errno = current->error;
  return now;
}

int done(int result, Effect::Kind kind, const std::string& path, std::uint64_t offset = 0,
         std::string bytes = {}) {
  const int error = errno;
  if (current && result >= 0) current->log.push_back({kind, path, offset, std::move(bytes)});
  errno = error;
  return result;
}

bool is_directory(int fd) {
  struct stat about {};
  return ::fstat(fd, &about) == 0 && S_ISDIR(about.st_mode);
}

}  // namespace

void Effects::during(const std::function<void()>& run) {
  current = this;
  try {
    run();
  } catch (...) {
    current = nullptr;
    throw;
  }
  current = nullptr;
}

extern "C" {
int __real_fsync(int);
int __real_fdatasync(int);
int __real_syncfs(int);
ssize_t __real_pread64(int, void*, size_t, off64_t);
ssize_t __real_pwrite64(int, const void*, size_t, off64_t);
int __real_ftruncate64(int, off64_t);
int __real_openat64(int, const char*, int, ...);
int __real_mkdirat(int, const char*, mode_t);
int __real_unlinkat(int, const char*, int);
dirent64* __real_readdir64(DIR*);

dirent64* __wrap_readdir64(DIR* directory) {
  if (current && !current->unlistable.first.empty() &&
      path_of(::dirfd(directory)).ends_with(current->unlistable.first)) {
    errno = current->unlistable.second;
    return nullptr;
  }
  return __real_readdir64(directory);
}

int __wrap_fsync(int fd) {
  if (fails()) return -1;
  if (current && current->directory_sync_error && is_directory(fd)) {
    errno = *current->directory_sync_error;
    return -1;
  }
  return current ? done(__real_fsync(fd), Effect::Kind::sync, path_of(fd)) : __real_fsync(fd);
}

int __wrap_fdatasync(int fd) {
  if (fails()) return -1;
  return current ? done(__real_fdatasync(fd), Effect::Kind::sync, path_of(fd))
                 : __real_fdatasync(fd);
}

int __wrap_syncfs(int fd) {
  if (fails()) return -1;
  return current ? done(__real_syncfs(fd), Effect::Kind::sync, path_of(fd)) : __real_syncfs(fd);
}

ssize_t __wrap_pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  if (fails()) return -1;
  const ssize_t n = __real_pwrite64(fd, bytes, size, offset);
  if (current && n >= 0)
    done(0, Effect::Kind::write, path_of(fd), static_cast<std::uint64_t>(offset),
         std::string(static_cast<const char*>(bytes), static_cast<size_t>(n)));
  return n;
}

ssize_t __wrap_pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  return __wrap_pwrite64(fd, bytes, size, offset);
}

ssize_t __wrap_pread64(int fd, void* bytes, size_t size, off64_t offset) {
  if (!current) return __real_pread64(fd, bytes, size, offset);
  const auto path = path_of(fd);
  if (const auto& bad = current->bad_place; bad && path.ends_with(bad->path)) {
    const auto at = static_cast<std::uint64_t>(offset);
    if (at >= bad->offset) {
      errno = bad->error;
      return -1;
    }
    size = std::min(size, static_cast<size_t>(bad->offset - at));
  }
  const ssize_t n = __real_pread64(fd, bytes, size, offset);
  if (n > 0) current->read[path] += static_cast<std::uint64_t>(n);
  return n;
}

ssize_t __wrap_pread(int fd, void* bytes, size_t size, off_t offset) {
  return __wrap_pread64(fd, bytes, size, offset);
}

int __wrap_ftruncate64(int fd, off64_t size) {
  if (fails()) return -1;
  const int result = __real_ftruncate64(fd, size);
  return current
             ? done(result, Effect::Kind::truncate, path_of(fd), static_cast<std::uint64_t>(size))
             : result;
}

int __wrap_ftruncate(int fd, off_t size) { return __wrap_ftruncate64(fd, size); }

int __wrap_openat64(int directory, const char* name, int flags, ...) {
  if (current && current->refuses_direct && (flags & O_DIRECT) != 0) {
    errno = EINVAL;
    return -1;
  }
  if ((flags & O_CREAT) == 0) return __real_openat64(directory, name, flags);
  va_list rest;
  va_start(rest, flags);
  const auto mode = va_arg(rest, mode_t);
  va_end(rest);
  if (fails()) return -1;
  const int fd = __real_openat64(directory, name, flags, mode);
  return current ? done(fd, Effect::Kind::create, path_of(directory, name)) : fd;
}

int __wrap_openat(int directory, const char* name, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return __wrap_openat64(directory, name, flags, mode);
}

int __wrap_mkdirat(int directory, const char* name, mode_t mode) {
  if (fails()) return -1;
  const int result = __real_mkdirat(directory, name, mode);
  return current ? done(result, Effect::Kind::make_directory, path_of(directory, name)) : result;
}

int __wrap_unlinkat(int directory, const char* name, int flags) {
  if (fails()) return -1;
  const int result = __real_unlinkat(directory, name, flags);
  return current ? done(result, Effect::Kind::remove, path_of(directory, name)) : result;
}
}
