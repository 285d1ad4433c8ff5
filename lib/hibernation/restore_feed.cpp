#include "hibernation/restore_feed.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

#include "async/wake.hpp"
#include "base/fault.hpp"
#include "base/host_fault.hpp"

namespace satchel::hibernation {

namespace {
constexpr int pipe_size = 1 << 20;
constexpr std::string_view no_stream = "no QEMU stream\n";
}  // namespace

RestoreFeed::RestoreFeed(const std::filesystem::path& directory) : path_(directory / "restore") {
  std::error_code gone;  // a leftover of a killed daemon; what matters is that mkfifo succeeds
  std::filesystem::remove(path_, gone);
  if (::mkfifo(path_.c_str(), 0600) != 0)
    throw host_fault_from_errno(errno, "make the FIFO", path_.string());
  fifo_.reset(::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
  if (!fifo_) throw host_fault_from_errno(errno, "open the FIFO", path_.string());
  // Of a pipe that holds more QEMU reads as much more at a time; where it can't be, it reads less.
  ::fcntl(fifo_.get(), F_SETPIPE_SZ, pipe_size);
  place_.reset(::open(path_.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
  if (!place_) throw host_fault_from_errno(errno, "open the FIFO", path_.string());
}

RestoreFeed::~RestoreFeed() {
  std::error_code ignored;  // the directory is emptied at the next start of the daemon as well
  std::filesystem::remove(path_, ignored);
}

void RestoreFeed::write_header(std::span<const std::byte> header, std::stop_token stop) {
  write_all(header, stop);
}

void RestoreFeed::write(std::span<const std::byte> bytes, std::stop_token stop) {
  if (bytes.empty()) return;
  if (!stream_has_begun_) {
    write_all(bytes.first(1), stop);
    stream_has_begun_ = true;
    bytes = bytes.subspan(1);
  }
  write_all(bytes, stop);
}

void RestoreFeed::write_all(std::span<const std::byte> bytes, std::stop_token stop) {
  const StopWake wake(stop);
  while (!bytes.empty()) {
    if (stop.stop_requested())
      throw Fault(Remedy::retry,
                  Fault::Text{"feed", path_.string(), "the restore has ended before its end", {}});
    const auto n = ::write(fifo_.get(), bytes.data(), bytes.size());
    if (n > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR)
      throw host_fault_from_errno(errno, "write to the FIFO", path_.string());
    pollfd waits[] = {{fifo_.get(), POLLOUT, 0}, {wake.fd(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR)
      throw host_fault_from_errno(errno, "wait for", path_.string());
  }
}

void RestoreFeed::abandon() noexcept {
  ::unlink(path_.c_str());
  // Opening for both directions wakes a reader that waits in open(2); closing gives it the end.
  const auto again = "/proc/self/fd/" + std::to_string(place_.get());
  fifo_.reset(::open(again.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!stream_has_begun_) {
    // QEMU 7.2 waits for a first byte, and spins for good where the end comes before it. It refuses
    // this one. A pipe too full for it has others to read.
    const auto given = ::write(fifo_.get(), no_stream.data(), no_stream.size());
    static_cast<void>(given);
  }
  fifo_.reset();
}

}  // namespace satchel::hibernation
