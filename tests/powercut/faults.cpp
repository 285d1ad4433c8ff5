// Loaded before satcheld's own libraries by tests/powercut, into it and all that it starts: lets
// the Nth call that touches a filesystem fail. The file named by POWERCUT_FAULTS says which, while
// it exists: the filesystem's device number; the kind of calls that count, which fail with EIO
// ("change"; "look", of which "read" are those that read a file's bytes) or, of those that take
// room, with ENOSPC ("room"); N from 1 on; and "once", "on" when all after it fail as well (those
// that take room alone, where none is left, and a write is cut short first), or "lie" when it is
// not done and said to be. What failed is written behind that file's name and ".hit". Calls count
// from when the file was put there, those of all processes together, in the eight bytes behind its
// name and ".count".
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>

namespace {

template <class F>
F next(const char* name, F) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

enum class Kind { look, read, change, room };  ///< what takes room changes something as well
enum class How { once, on, lie };
enum class Fate { passes, fails, is_cut_short, is_left_out };

using Count = unsigned long long;

struct Order {
  ino_t file = 0;  ///< a new file is a new order; inodes are used again
  timespec made{};
  unsigned long long device = 0;
  Count number = 0;
  Kind kind = Kind::look;
  How how = How::once;
  Count* count = nullptr;
};

std::mutex guard;

// A child that was forked while another thread held it would wait for that thread for ever.
const int unlocked_in_children =
    ::pthread_atfork([] { guard.lock(); }, [] { guard.unlock(); }, [] { guard.unlock(); });
Order order;

// Not by open(2) of ours, which comes here.
Count* shared_count(const std::string& path) {
  const auto fd =
      static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDWR | O_CLOEXEC));
  void* at = ::mmap(nullptr, sizeof(Count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) std::abort();
  ::syscall(SYS_close, fd);
  return static_cast<Count*>(at);
}

// Takes up a new order. False when there is none.
bool is_armed(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) return false;
  const auto& then = about.st_ctim;
  if (about.st_ino == order.file && then.tv_sec == order.made.tv_sec &&
      then.tv_nsec == order.made.tv_nsec)
    return true;
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return false;
  Order made;
  made.file = about.st_ino;
  made.made = then;
  char kind[8] = "";
  char how[8] = "";
  const int read = std::fscanf(file, "%llu %7s %llu %7s", &made.device, kind, &made.number, how);
  std::fclose(file);
  if (read != 4) std::abort();
  const std::string_view kinds = kind;
  const std::string_view hows = how;
  made.kind = kinds == "room"     ? Kind::room
              : kinds == "change" ? Kind::change
              : kinds == "read"   ? Kind::read
                                  : Kind::look;
  made.how = hows == "on" ? How::on : hows == "lie" ? How::lie : How::once;
  if (order.count != nullptr) ::munmap(order.count, sizeof(Count));
  made.count = shared_count(path + ".count");
  order = made;
  return true;
}

void tell(const std::string& path, const char* call, const std::string& name) {
  std::FILE* file = std::fopen((path + ".hit").c_str(), "ae");
  if (file == nullptr) std::abort();
  std::fprintf(file, "%s %s\n", call, name.c_str());
  std::fclose(file);
}

std::string name_of(int fd) {
  char name[512] = "";
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  return ::readlink(link.c_str(), name, sizeof name - 1) < 0 ? "?" : name;
}

bool counts(Kind kind) {
  return kind == order.kind || (kind == Kind::room && order.kind == Kind::change) ||
         (kind == Kind::read && order.kind == Kind::look);
}

Fate fate_of_this(const std::string& told, const char* call, Kind kind, const std::string& name) {
  // Where no room is left, what takes none still works; a filesystem that failed for good does not.
  const bool none_left = order.kind == Kind::room;
  std::atomic_ref<Count> count(*order.count);
  const Count at = counts(kind) ? ++count : count.load();
  const bool this_one = counts(kind) && at == order.number;
  const bool too = order.how == How::on && at > order.number && (!none_left || kind == Kind::room);
  const bool this_too = order.how == How::on && !counts(kind) && at == order.number && !none_left;
  if (this_one) tell(told, call, name);
  if (!this_one && !too && !this_too) return Fate::passes;
  if (order.how == How::lie) return Fate::is_left_out;
  return this_one && none_left && order.how == How::on ? Fate::is_cut_short : Fate::fails;
}

// `about`: of the file, or of the directory that it is to be in. errno is set where it fails.
template <class Name>
Fate fate_of(const char* call, Kind kind, bool found, const struct stat& about, Name name) {
  const char* told = std::getenv("POWERCUT_FAULTS");
  const int error = errno;
  auto fate = Fate::passes;
  if (told != nullptr && found) {
    const std::lock_guard lock(guard);
    const std::string path = told;
    if (is_armed(path) && about.st_dev == order.device)
      fate = fate_of_this(path, call, kind, name());
    errno = fate == Fate::passes ? error : order.kind == Kind::room ? ENOSPC : EIO;
  }
  return fate;
}

Fate fate_of(const char* call, Kind kind, int fd) {
  const int error = errno;
  struct stat about {};
  const bool found = fd >= 0 && ::fstat(fd, &about) == 0;
  errno = error;
  return fate_of(call, kind, found, about, [fd] { return name_of(fd); });
}

Fate fate_of(const char* call, Kind kind, int directory, const char* path) {
  const int error = errno;
  struct stat about {};
  const std::string name = path;
  bool found = ::fstatat(directory, path, &about, 0) == 0;
  if (!found) {  // it is to be made
    const auto slash = name.rfind('/');
    const auto above = slash == name.npos ? "." : name.substr(0, slash + 1);
    found = ::fstatat(directory, above.c_str(), &about, 0) == 0;
  }
  errno = error;
  return fate_of(call, kind, found, about, [&] { return name; });
}

bool makes(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

// How much of it is still written. 0: nothing; past the page cache whole sectors alone are.
std::size_t what_fits(std::size_t size) {
  constexpr std::size_t sector = 4096;
  return size % 512 == 0 ? size / 2 / sector * sector : size / 2;
}

}  // namespace

// The kind of call, what it gives when it was left out, its result, name and parameters, what tells
// its filesystem, and the arguments passed on; all fail with -1.
#define FAILING(kind, done, result, name, parameters, where, ...) \
  result name parameters {                                        \
    static const auto real = next(#name, &name);                  \
    switch (fate_of(#name, Kind::kind, where)) {                  \
      case Fate::passes:                                          \
        return real(__VA_ARGS__);                                 \
      case Fate::is_left_out:                                     \
        return done;                                              \
      default:                                                    \
        return -1;                                                \
    }                                                             \
  }
#define WRITING(name, parameters, ...)                                                           \
  ssize_t name parameters {                                                                      \
    static const auto real = next(#name, &name);                                                 \
    const auto fate = fate_of(#name, Kind::room, fd);                                            \
    if (fate == Fate::is_left_out) return static_cast<ssize_t>(size);                            \
    if (fate == Fate::is_cut_short) size = what_fits(size);                                      \
    return fate == Fate::fails || (fate == Fate::is_cut_short && size == 0) ? -1                 \
                                                                            : real(__VA_ARGS__); \
  }
#define OF(directory, path) directory, path

namespace {
// Whoever opens wants a descriptor: no lie would do.
bool opening_fails(const char* call, int flags, int directory, const char* name) {
  const auto fate = fate_of(call, makes(flags) ? Kind::room : Kind::look, directory, name);
  return fate == Fate::fails || fate == Fate::is_cut_short;
}

ssize_t size_of(const iovec* parts, int number) {
  ssize_t size = 0;
  for (int i = 0; i < number; ++i) size += static_cast<ssize_t>(parts[i].iov_len);
  return size;
}
}  // namespace

extern "C" {

FAILING(read, 0, ssize_t, read, (int fd, void* bytes, size_t size), fd, fd, bytes, size)
FAILING(read, 0, ssize_t, pread64, (int fd, void* bytes, size_t size, off64_t at), fd, fd, bytes,
        size, at)
FAILING(read, 0, ssize_t, preadv64, (int fd, const iovec* parts, int number, off64_t at), fd, fd,
        parts, number, at)
WRITING(write, (int fd, const void* bytes, size_t size), fd, bytes, size)
WRITING(pwrite64, (int fd, const void* bytes, size_t size, off64_t at), fd, bytes, size, at)
FAILING(room, size_of(parts, number), ssize_t, writev, (int fd, const iovec* parts, int number), fd,
        fd, parts, number)
FAILING(room, size_of(parts, number), ssize_t, pwritev64,
        (int fd, const iovec* parts, int number, off64_t at), fd, fd, parts, number, at)
FAILING(room, 0, int, fallocate64, (int fd, int mode, off64_t at, off64_t size), fd, fd, mode, at,
        size)
FAILING(change, 0, int, fsync, (int fd), fd, fd)
FAILING(change, 0, int, fdatasync, (int fd), fd, fd)
FAILING(change, 0, int, syncfs, (int fd) noexcept, fd, fd)
FAILING(change, 0, int, sync_file_range, (int fd, off64_t at, off64_t size, unsigned flags), fd, fd,
        at, size, flags)
FAILING(room, 0, int, ftruncate64, (int fd, off64_t size) noexcept, fd, fd, size)
FAILING(room, 0, int, mkdirat, (int fd, const char* name, mode_t mode) noexcept, OF(fd, name), fd,
        name, mode)
FAILING(room, 0, int, mkdir, (const char* name, mode_t mode) noexcept, OF(AT_FDCWD, name), name,
        mode)
FAILING(change, 0, int, unlinkat, (int fd, const char* name, int flags) noexcept, fd, fd, name,
        flags)
FAILING(change, 0, int, unlink, (const char* name) noexcept, OF(AT_FDCWD, name), name)
FAILING(change, 0, int, remove, (const char* name) noexcept, OF(AT_FDCWD, name), name)
FAILING(room, 0, int, rename, (const char* from, const char* to) noexcept, OF(AT_FDCWD, from), from,
        to)
FAILING(room, 0, int, renameat, (int fd, const char* from, int to_fd, const char* to) noexcept, fd,
        fd, from, to_fd, to)
FAILING(room, 0, int, renameat2,
        (int fd, const char* from, int to_fd, const char* to, unsigned flags) noexcept, fd, fd,
        from, to_fd, to, flags)
FAILING(room, 0, int, link, (const char* from, const char* to) noexcept, OF(AT_FDCWD, from), from,
        to)

int posix_fallocate64(int fd, off64_t at, off64_t size) {
  static const auto real = next("posix_fallocate64", &posix_fallocate64);
  const int before = errno;
  const auto fate = fate_of("posix_fallocate64", Kind::room, fd);
  const int error = errno;
  errno = before;  // it gives the error
  return fate == Fate::passes ? real(fd, at, size) : fate == Fate::is_left_out ? 0 : error;
}

#define WITH_MODE                \
  mode_t mode = 0;               \
  if (makes(flags)) {            \
    va_list rest;                \
    va_start(rest, flags);       \
    mode = va_arg(rest, mode_t); \
    va_end(rest);                \
  }

int openat64(int fd, const char* name, int flags, ...) {
  static const auto real = next("openat64", &openat64);
  WITH_MODE
  return opening_fails("openat64", flags, fd, name) ? -1 : real(fd, name, flags, mode);
}

int open64(const char* name, int flags, ...) {
  static const auto real = next("open64", &open64);
  WITH_MODE
  return opening_fails("open64", flags, AT_FDCWD, name) ? -1 : real(name, flags, mode);
}
}
