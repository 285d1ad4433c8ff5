// Counts what the sync does to files, and kills the process before the effect whose number KILL_AT
// says (a write is then half done). The linker leads these calls here (tests/sync/CMakeLists.txt).
// With COUNT set, the number of effects goes to standard error at the end.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace {

struct Counter {
  long at = 0;
  long last = std::getenv("KILL_AT") != nullptr ? std::atol(std::getenv("KILL_AT")) : -1;
  bool is_next_the_last() { return ++at == last; }
  ~Counter() {
    if (std::getenv("COUNT") != nullptr) std::fprintf(stderr, "%ld\n", at);
  }
};

Counter counter;

void effect() {
  if (counter.is_next_the_last()) ::raise(SIGKILL);
}

}  // namespace

extern "C" {

int __real_mkdirat(int directory, const char* name, mode_t mode);
int __real_unlinkat(int directory, const char* name, int flags);
int __real_renameat(int from, const char* name, int to, const char* target);
int __real_renameat2(int from, const char* name, int to, const char* target, unsigned flags);
int __real_symlinkat(const char* target, int directory, const char* name);
int __real_openat64(int directory, const char* name, int flags, mode_t mode);
ssize_t __real_pwrite64(int fd, const void* bytes, size_t size, off64_t offset);
int __real_ftruncate64(int fd, off64_t size);
int __real_fchmod(int fd, mode_t mode);
int __real_futimens(int fd, const timespec* times);
int __real_syncfs(int fd);
int __real_fsync(int fd);
int __real_fdatasync(int fd);

int __wrap_mkdirat(int directory, const char* name, mode_t mode) {
  effect();
  return __real_mkdirat(directory, name, mode);
}
int __wrap_unlinkat(int directory, const char* name, int flags) {
  effect();
  return __real_unlinkat(directory, name, flags);
}
int __wrap_renameat(int from, const char* name, int to, const char* target) {
  effect();
  return __real_renameat(from, name, to, target);
}
int __wrap_renameat2(int from, const char* name, int to, const char* target, unsigned flags) {
  effect();
  return __real_renameat2(from, name, to, target, flags);
}
int __wrap_symlinkat(const char* target, int directory, const char* name) {
  effect();
  return __real_symlinkat(target, directory, name);
}
int __wrap_openat64(int directory, const char* name, int flags, mode_t mode) {
  if ((flags & O_CREAT) != 0) effect();
  return __real_openat64(directory, name, flags, mode);
}
ssize_t __wrap_pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  if (counter.is_next_the_last()) {
    (void)__real_pwrite64(fd, bytes, size / 2, offset);
    ::raise(SIGKILL);
  }
  return __real_pwrite64(fd, bytes, size, offset);
}
int __wrap_ftruncate64(int fd, off64_t size) {
  effect();
  return __real_ftruncate64(fd, size);
}
int __wrap_fchmod(int fd, mode_t mode) {
  effect();
  return __real_fchmod(fd, mode);
}
int __wrap_futimens(int fd, const timespec* times) {
  effect();
  return __real_futimens(fd, times);
}
int __wrap_syncfs(int fd) {
  effect();
  return __real_syncfs(fd);
}
int __wrap_fsync(int fd) {
  effect();
  return __real_fsync(fd);
}
int __wrap_fdatasync(int fd) {
  effect();
  return __real_fdatasync(fd);
}

}  // extern "C"
