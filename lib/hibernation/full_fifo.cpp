#include "hibernation/full_fifo.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "async/wake.hpp"
#include "base/fault.hpp"
#include "base/host_fault.hpp"

namespace satchel::hibernation {

namespace {

constexpr int smallest_pipe = 4096;

UniqueFd open_or_throw(const std::filesystem::path& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd) throw host_fault_from_errno(errno, "open the FIFO", path.string());
  return fd;
}

/// Writes until the pipe takes no more; how many bytes that were.
std::size_t fill(int fd, const std::filesystem::path& path) {
  const std::array<char, smallest_pipe> filling{};
  std::size_t total = 0;
  // Single bytes at the end: a write that does not fit is not made at all.
  for (std::size_t piece = filling.size(); piece > 0;) {
    const ssize_t n = ::write(fd, filling.data(), piece);
    if (n > 0)
      total += static_cast<std::size_t>(n);
    else if (errno == EAGAIN)
      piece = piece > 1 ? 1 : 0;
    else if (errno != EINTR)
      throw host_fault_from_errno(errno, "fill the FIFO", path.string());
  }
  return total;
}

}  // namespace

FullFifo::FullFifo(const std::filesystem::path& path) {
  auto fresh = path;
  fresh += ".new";
  std::error_code leftover;  // of a killed daemon; what matters is that mkfifo succeeds
  std::filesystem::remove(fresh, leftover);
  if (::mkfifo(fresh.c_str(), 0600) != 0)
    throw host_fault_from_errno(errno, "make the FIFO", fresh.string());
  both_ = open_or_throw(fresh, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
  keeper_ = open_or_throw(fresh, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
  reference_ = open_or_throw(fresh, O_PATH | O_NOFOLLOW);
  if (::fcntl(both_.get(), F_SETPIPE_SZ, smallest_pipe) < 0)
    throw host_fault_from_errno(errno, "shrink the FIFO", fresh.string());
  filling_ = fill(both_.get(), fresh);
  watch_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch_ || ::inotify_add_watch(watch_.get(), fresh.c_str(), IN_OPEN) < 0)
    throw host_fault_from_errno(errno, "watch the FIFO", fresh.string());
  if (::rename(fresh.c_str(), path.c_str()) != 0)
    throw host_fault_from_errno(errno, "put the FIFO in place at", path.string());
}

void FullFifo::await_writer(std::stop_token stop) const {
  const StopWake wake(stop);
  while (true) {
    std::array<pollfd, 2> watched{{{watch_.get(), POLLIN, 0}, {wake.fd(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw host_fault_from_errno(errno, "wait for", "libvirt to save");
    }
    if (watched[0].revents != 0) return;
    throw Fault(Remedy::retry, {"wait for", "libvirt to save", "it was stopped", {}});
  }
}

UniqueFd FullFifo::admit() {
  // Opened while both_ is there: never a moment without a reader, in which the writer would fail.
  auto reader = open_or_throw(own_path(), O_RDONLY | O_NONBLOCK);
  std::array<char, smallest_pipe> ignored;
  while (filling_ > 0) {
    const ssize_t n = ::read(reader.get(), ignored.data(), std::min(ignored.size(), filling_));
    if (n > 0)
      filling_ -= static_cast<std::size_t>(n);
    else if (n == 0 || errno != EINTR)
      throw host_fault_from_errno(n == 0 ? EPIPE : errno, "drain the FIFO", own_path().string());
  }
  both_.reset();
  keeper_.reset();
  return reader;
}

void FullFifo::turn_away() noexcept {
  if (both_) {
    both_.reset();
    return;
  }
  if (!keeper_) return;
  // A reader that comes and goes ends an open(2) that waits for one; the write that follows finds
  // the pipe full, or nobody there.
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", reference_.get());
  const UniqueFd visit(::open(path.data(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

std::filesystem::path FullFifo::own_path() const {
  return "/proc/self/fd/" + std::to_string(reference_.get());
}

}  // namespace satchel::hibernation
