#include "hibernation/save_gate.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "async/wake.hpp"
#include "base/fault.hpp"
#include "base/host_fault.hpp"
#include "hibernation/save_image.hpp"

namespace satchel::hibernation {

namespace {

/// Bigger writes and reads: what an ordinary user may ask for.
constexpr int stream_pipe = 1 << 20;

Fault misused(std::string why) {
  return Fault(Remedy::report_bug, {"use", "the save gate", std::move(why), {}});
}

UniqueFd open_directory(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw host_fault_from_errno(errno, "open the directory", path.string());
  return fd;
}

/// Waits for something to read; 0 at the end of file.
std::size_t read_some(int fd, std::span<std::byte> buffer, const std::stop_token& stop) {
  while (true) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw host_fault_from_errno(errno, "read", "libvirt's save stream");
    const StopWake wake(stop);
    std::array<pollfd, 2> watched{{{fd, POLLIN, 0}, {wake.fd(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR)
      throw host_fault_from_errno(errno, "wait for", "libvirt's save stream");
    if (watched[1].revents != 0)
      throw Fault(Remedy::retry, {"read", "libvirt's save stream", "it was stopped", {}});
  }
}

/// Puts a socket that nobody listens on in the path's place: opening it fails (ENXIO). Removing the
/// path would not do, for libvirt's first open makes a file where there is none.
void make_unopenable(const std::filesystem::path& path) {
  auto dead = path;
  dead += ".refused";
  ::unlink(dead.c_str());
  if (::mknod(dead.c_str(), S_IFSOCK | 0600, 0) == 0 && ::rename(dead.c_str(), path.c_str()) == 0)
    return;
  // The FIFO that has the path stays there and turns every writer away: as safe, but slower.
  ::unlink(dead.c_str());
}

}  // namespace

SaveGate::SaveGate(const std::filesystem::path& directory)
    : path_(directory / "save"),
      directory_(open_directory(directory)),
      door_("/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(directory_.get()) +
            "/save"),
      first_(path_) {}

SaveGate::~SaveGate() {
  const bool decided = step_ == Step::opened || step_ == Step::refused;
  refuse();
  if (decided) ::unlink(path_.c_str());
}

void SaveGate::turn_away_leftover(const std::filesystem::path& directory) noexcept {
  const auto path = directory / "save";
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0 || !S_ISFIFO(about.st_mode)) return;
  // Whoever waits in open(2) keeps the pipe, and that is full: its write fails when we are gone.
  { const UniqueFd visit(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)); }
  make_unopenable(path);
}

std::size_t SaveGate::read(std::span<std::byte> buffer, std::stop_token stop) {
  if (step_ == Step::refused || step_ == Step::opened)
    throw misused("it was read after the decision");
  if (step_ == Step::waiting) {
    first_.await_writer(stop);
    second_.emplace(path_);
    stream_ = first_.admit();
    // Refused when many pipes are that large already: slower then, that's all.
    ::fcntl(stream_.get(), F_SETPIPE_SZ, stream_pipe);
    step_ = Step::streaming;
  }
  if (step_ == Step::streaming) {
    if (const auto n = read_some(stream_.get(), buffer, stop); n > 0) return n;
    second_->await_writer(stop);
    stream_.reset();
    step_ = Step::ended;
  }
  return 0;
}

void SaveGate::open(std::stop_token stop) {
  if (step_ != Step::ended) throw misused("it was opened before the stream's end");
  const auto header = second_->admit();
  step_ = Step::opened;
  std::array<std::byte, 4096> buffer;
  std::size_t total = 0;
  while (const auto n = read_some(header.get(), buffer, stop)) total += n;
  if (total < save_header_size)
    throw Fault(Remedy::retry,
                {"complete", "the save", "libvirt went away in the middle of it", {}});
}

void SaveGate::refuse() noexcept {
  if (step_ == Step::opened) return;
  if (step_ != Step::refused) make_unopenable(path_);
  step_ = Step::refused;
  stream_.reset();
  first_.turn_away();
  if (second_) second_->turn_away();
}

}  // namespace satchel::hibernation
