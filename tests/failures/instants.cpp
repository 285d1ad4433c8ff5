// Loaded before satcheld's own libraries by tests/failures, into it and all that it starts: stops
// the process right before a call that touches a file of the device, of the sessions or a FIFO, so
// that at this very instant the device can be pulled or the daemon killed. The file named by
// FAILURES_INSTANT says which, while it exists: "DEED PATTERN NUMBER", as in "sync slots/* 1";
// calls count from when it was put there. Who stops there writes "PID DEED NAME" behind that file's
// name and ".hit", and whoever put the file there lets the process go on by SIGCONT. With "list" in
// it, all calls go to its name and ".calls".
#include <dlfcn.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>

namespace {

template <class F>
F next(const char* name, F) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

struct Order {
  ino_t file = 0;  ///< a new file is a new order
  std::string deed;
  std::string pattern;
  unsigned number = 0;
  unsigned count = 0;
};

std::mutex guard;

// A child that was forked while another thread held it would wait for that thread for ever.
const int unlocked_in_children =
    ::pthread_atfork([] { guard.lock(); }, [] { guard.unlock(); }, [] { guard.unlock(); });

bool is_armed(const std::string& path, Order& order) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) return false;
  if (about.st_ino == order.file) return true;
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return false;
  char deed[16] = "";
  char pattern[128] = "";
  Order made;
  made.file = about.st_ino;
  const int read = std::fscanf(file, "%15s %127s %u", deed, pattern, &made.number);
  std::fclose(file);
  if (read != 3 && std::string_view(deed) != "list") std::abort();
  made.deed = deed;
  made.pattern = pattern;
  order = made;
  return true;
}

std::string path_of(int fd) {
  char name[1024] = "";
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  if (::readlink(link.c_str(), name, sizeof name - 1) < 0) return {};
  return name;
}

std::string path_of(int directory, const char* name) {
  if (name[0] == '/' || directory == AT_FDCWD) return name;
  const auto before = path_of(directory);
  return std::string_view(name) == "." ? before : before + "/" + name;
}

bool is_uuid(std::string_view word) {
  if (word.size() < 36) return false;
  for (std::size_t i = 0; i < 36; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? word[i] != '-' : std::isxdigit(static_cast<unsigned char>(word[i])) == 0)
      return false;
  }
  return word.size() == 36 || word[36] == '/';
}

// What is below `directory`, where the environment names one.
bool is_below(std::string_view path, const char* variable, std::string_view& rest) {
  const char* directory = std::getenv(variable);
  if (directory == nullptr || !path.starts_with(directory)) return false;
  rest = path.substr(std::strlen(directory));
  return rest.empty() || rest.front() == '/';
}

// Without the capsule's UUID: "sessions/UUID/journal" becomes "sessions/journal".
std::string without_uuid(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const auto piece = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(piece.size() + 1, path.size()));
    if (!piece.empty() && !is_uuid(piece)) out += (out.empty() ? "" : "/") + std::string(piece);
  }
  return out;
}

// As docs/FAILURES.md names it: within the capsule's directory "slots/0"; elsewhere on the device
// "device:satchel/README.txt", "capsule:" the capsule's directory itself, "node:" the device
// without its filesystem; "host:" and "run:" are the state and the runtime directory. Empty: none
// of these.
std::string name_of(const std::string& path) {
  std::string_view rest;
  if (is_below(path, "STATE_DIRECTORY", rest)) return "host:" + without_uuid(rest);
  if (is_below(path, "RUNTIME_DIRECTORY", rest)) return "run:" + without_uuid(rest);
  if (path.starts_with("/dev/loop")) return "node:";
  if (!path.starts_with("/media/")) return {};
  const auto mounted = path.find('/', std::strlen("/media/"));
  if (mounted == path.npos) return "device:";
  rest = std::string_view(path).substr(mounted + 1);
  constexpr std::string_view capsules = "satchel/";
  if (!rest.starts_with(capsules) || !is_uuid(rest.substr(capsules.size())))
    return "device:" + std::string(rest);
  rest.remove_prefix(capsules.size() + 36);
  return rest.empty() ? "capsule:" : std::string(rest.substr(1));
}

void write_down(const std::string& path, const char* mode, const char* deed,
                const std::string& name) {
  std::FILE* file = std::fopen(path.c_str(), mode);
  if (file == nullptr) return;  // somebody else has stopped there before
  std::fprintf(file, "%d %s %s\n", ::getpid(), deed, name.c_str());
  std::fclose(file);
}

// Comes back when the process may go on.
void pass(const char* deed, const std::string& path) {
  const char* told = std::getenv("FAILURES_INSTANT");
  if (told == nullptr) return;
  bool stops = false;
  {
    const std::lock_guard lock(guard);
    // Libraries call before ours is initialised, and after it ends.
    static Order& order = *new Order;
    const std::string file = told;
    if (!is_armed(file, order)) return;
    const auto name = name_of(path);
    if (name.empty()) return;
    if (order.deed == "list") {
      write_down(file + ".calls", "ae", deed, name);
    } else if (order.deed == deed && ::fnmatch(order.pattern.c_str(), name.c_str(), 0) == 0) {
      stops = ++order.count == order.number;
    }
    if (stops) write_down(file + ".hit", "wxe", deed, name);
  }
  // To this thread: it is stopped before it goes on, and all others with it.
  if (stops) ::syscall(SYS_tgkill, ::getpid(), ::gettid(), SIGSTOP);
}

void pass_fd(const char* deed, int fd) {
  const int error = errno;
  if (fd >= 0) pass(deed, path_of(fd));
  errno = error;
}

void pass_name(const char* deed, int directory, const char* name) {
  const int error = errno;
  pass(deed, path_of(directory, name));
  errno = error;
}

bool makes(int flags) { return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE; }

}  // namespace

// The deed, the call's result, name and parameters, and the arguments passed on.
#define OF_FD(deed, result, name, parameters, ...) \
  result name parameters {                         \
    static const auto real = next(#name, &name);   \
    pass_fd(deed, fd);                             \
    return real(__VA_ARGS__);                      \
  }
#define OF_NAME(deed, result, name, parameters, directory, path, ...) \
  result name parameters {                                            \
    static const auto real = next(#name, &name);                      \
    pass_name(deed, directory, path);                                 \
    return real(__VA_ARGS__);                                         \
  }

extern "C" {

OF_FD("read", ssize_t, pread64, (int fd, void* bytes, size_t size, off64_t at), fd, bytes, size, at)
OF_FD("write", ssize_t, write, (int fd, const void* bytes, size_t size), fd, bytes, size)
OF_FD("write", ssize_t, pwrite64, (int fd, const void* bytes, size_t size, off64_t at), fd, bytes,
      size, at)
OF_FD("write", ssize_t, pwritev64, (int fd, const iovec* parts, int count, off64_t at), fd, parts,
      count, at)
OF_FD("sync", int, fsync, (int fd), fd)
OF_FD("sync", int, fdatasync, (int fd), fd)
OF_FD("sync", int, syncfs, (int fd) noexcept, fd)
OF_FD("close", int, close, (int fd), fd)
OF_NAME("mkdir", int, mkdirat, (int fd, const char* name, mode_t mode) noexcept, fd, name, fd, name,
        mode)
OF_NAME("mkdir", int, mkdir, (const char* name, mode_t mode) noexcept, AT_FDCWD, name, name, mode)
OF_NAME("remove", int, unlinkat, (int fd, const char* name, int flags) noexcept, fd, name, fd, name,
        flags)
OF_NAME("remove", int, unlink, (const char* name) noexcept, AT_FDCWD, name, name)
OF_NAME("remove", int, remove, (const char* name) noexcept, AT_FDCWD, name, name)
OF_NAME("mkfifo", int, mkfifo, (const char* name, mode_t mode) noexcept, AT_FDCWD, name, name, mode)
OF_NAME("rename", int, rename, (const char* from, const char* to) noexcept, AT_FDCWD, to, from, to)
OF_NAME("rename", int, renameat, (int from_fd, const char* from, int fd, const char* to) noexcept,
        fd, to, from_fd, from, fd, to)
OF_NAME("rename", int, renameat2,
        (int from_fd, const char* from, int fd, const char* to, unsigned flags) noexcept, fd, to,
        from_fd, from, fd, to, flags)

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
  pass_name(makes(flags) ? "make" : "open", fd, name);
  return real(fd, name, flags, mode);
}

int open64(const char* name, int flags, ...) {
  static const auto real = next("open64", &open64);
  WITH_MODE
  pass_name(makes(flags) ? "make" : "open", AT_FDCWD, name);
  return real(name, flags, mode);
}
}
