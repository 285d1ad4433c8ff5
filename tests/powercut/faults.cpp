// Loaded before satcheld's own libraries by tests/powercut: lets the Nth call that touches a stick
// fail with EIO. The file named by POWERCUT_FAULTS says which, while it exists: the stick's device
// number; "change" or "look", the kind of calls that count; N from 1 on; and "once", or "on" when
// all calls of any kind after it fail as well. What failed is written behind that file's name and
// ".hit". Calls count from when the file was put there.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

namespace {

template <class F>
F next(const char* name, F) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

enum class Kind { look, change };

struct Order {
  ino_t file = 0;  ///< a new file is a new order
  unsigned long long device = 0;
  unsigned long long number = 0;
  Kind kind = Kind::look;
  bool on = false;
  unsigned long long count = 0;
};

std::mutex guard;

// A child that was forked while another thread held it would wait for that thread for ever.
const int unlocked_in_children =
    ::pthread_atfork([] { guard.lock(); }, [] { guard.unlock(); }, [] { guard.unlock(); });
Order order;

// Takes up a new order. False when there is none.
bool is_armed(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) return false;
  if (about.st_ino == order.file) return true;
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return false;
  Order made;
  made.file = about.st_ino;
  char kind[8] = "";
  char how[8] = "";
  const int read = std::fscanf(file, "%llu %7s %llu %7s", &made.device, kind, &made.number, how);
  std::fclose(file);
  if (read != 4) std::abort();
  made.kind = kind == std::string("change") ? Kind::change : Kind::look;
  made.on = how == std::string("on");
  order = made;
  return true;
}

void tell(const std::string& path, const char* call, int fd) {
  char name[512] = "";
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  if (::readlink(link.c_str(), name, sizeof name - 1) < 0) name[0] = '?';
  std::FILE* file = std::fopen((path + ".hit").c_str(), "ae");
  if (file == nullptr) std::abort();
  std::fprintf(file, "%s %s\n", call, name);
  std::fclose(file);
}

bool fails(const char* call, Kind kind, int fd) {
  const char* path = std::getenv("POWERCUT_FAULTS");
  if (path == nullptr || fd < 0) return false;
  const int error = errno;
  const std::lock_guard lock(guard);
  struct stat about {};
  bool now = false;
  if (is_armed(path) && ::fstat(fd, &about) == 0 && about.st_dev == order.device) {
    const bool counts = kind == order.kind;
    if (counts) ++order.count;
    const bool this_one = counts && order.count == order.number;
    now = this_one || (order.on && order.count >= order.number);
    if (this_one) tell(path, call, fd);
  }
  errno = now ? EIO : error;
  return now;
}

}  // namespace

// The kind of call, its result, name and parameters, and the arguments passed on; all fail with -1.
#define FAILING(kind, result, name, parameters, ...)        \
  result name parameters {                                  \
    static const auto real = next(#name, &name);            \
    return fails(#name, kind, fd) ? -1 : real(__VA_ARGS__); \
  }

extern "C" {

FAILING(Kind::look, ssize_t, read, (int fd, void* bytes, size_t size), fd, bytes, size)
FAILING(Kind::look, ssize_t, pread64, (int fd, void* bytes, size_t size, off64_t at), fd, bytes,
        size, at)
FAILING(Kind::change, ssize_t, write, (int fd, const void* bytes, size_t size), fd, bytes, size)
FAILING(Kind::change, ssize_t, pwrite64, (int fd, const void* bytes, size_t size, off64_t at), fd,
        bytes, size, at)
FAILING(Kind::change, int, fsync, (int fd), fd)
FAILING(Kind::change, int, fdatasync, (int fd), fd)
FAILING(Kind::change, int, syncfs, (int fd) noexcept, fd)
FAILING(Kind::change, int, sync_file_range, (int fd, off64_t offset, off64_t size, unsigned flags),
        fd, offset, size, flags)
FAILING(Kind::change, int, ftruncate64, (int fd, off64_t size) noexcept, fd, size)
FAILING(Kind::change, int, mkdirat, (int fd, const char* name, mode_t mode) noexcept, fd, name,
        mode)
FAILING(Kind::change, int, unlinkat, (int fd, const char* name, int flags) noexcept, fd, name,
        flags)

int openat64(int fd, const char* name, int flags, ...) {
  static const auto real = next("openat64", &openat64);
  mode_t mode = 0;
  const bool makes = (flags & O_CREAT) != 0;
  if (makes) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  return fails("openat64", makes ? Kind::change : Kind::look, fd) ? -1
                                                                  : real(fd, name, flags, mode);
}
}
