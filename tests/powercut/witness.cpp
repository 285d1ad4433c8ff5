// Loaded before satcheld's own libraries by tests/powercut. It writes down how far the log of the
// stick's block writes is whenever a commit record was read past the page cache: the commit's last
// act, after which anybody may be told that the generation is on the device. In a computer whose
// stick is recorded outside (computer_day.py), it says so there by the port POWERCUT_PORT, and
// waits until that was heard. With POWERCUT_FORGET set nothing is ever synced: the deliberately
// wrong order that the rig has to find.
#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr char magic[8] = "SATCHEL";
constexpr std::size_t record = 512;

/// Only one process at a time has the port open.
int open_port(const char* port) {
  for (;;) {
    const int fd = ::open(port, O_RDWR | O_CLOEXEC);
    if (fd >= 0 || errno != EBUSY) return fd;
    ::sched_yield();
  }
}

void tell(const char* port, std::uint64_t seq) {
  const int fd = open_port(port);
  const std::string line = std::to_string(seq) + "\n";
  char heard = 0;
  if (fd < 0 || ::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
      ::read(fd, &heard, 1) != 1)
    std::abort();
  ::close(fd);
}

void note(std::uint64_t seq) {
  if (const char* port = std::getenv("POWERCUT_PORT")) return tell(port, seq);
  const char* log = std::getenv("POWERCUT_LOG");
  const char* marks = std::getenv("POWERCUT_MARKS");
  struct stat about {};
  if (log == nullptr || marks == nullptr || ::stat(log, &about) != 0) return;
  const int fd = ::open(marks, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  const std::string line = std::to_string(about.st_size) + " " + std::to_string(seq) + "\n";
  if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
  ::close(fd);
}

ssize_t seen(int fd, const void* bytes, ssize_t n, off64_t offset) {
  if (n != static_cast<ssize_t>(record) || offset != 0 || std::memcmp(bytes, magic, 8) != 0)
    return n;
  const int error = errno;
  const int flags = ::fcntl(fd, F_GETFL);
  std::uint64_t seq = 0;
  std::memcpy(&seq, static_cast<const char*>(bytes) + 16, sizeof seq);
  if (flags >= 0 && (flags & O_DIRECT) != 0) note(seq);
  errno = error;
  return n;
}

bool forgets() { return std::getenv("POWERCUT_FORGET") != nullptr; }

template <class F>
F next(const char* name, F) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t pread64(int fd, void* bytes, size_t size, off64_t offset) {
  static const auto real = next("pread64", &pread64);
  return seen(fd, bytes, real(fd, bytes, size, offset), offset);
}

int fsync(int fd) {
  static const auto real = next("fsync", &fsync);
  return forgets() ? 0 : real(fd);
}

int fdatasync(int fd) {
  static const auto real = next("fdatasync", &fdatasync);
  return forgets() ? 0 : real(fd);
}

int syncfs(int fd) noexcept {
  static const auto real = next("syncfs", &syncfs);
  return forgets() ? 0 : real(fd);
}

int sync_file_range(int fd, off64_t offset, off64_t size, unsigned flags) {
  static const auto real = next("sync_file_range", &sync_file_range);
  return forgets() ? 0 : real(fd, offset, size, flags);
}
}
