#include "channel.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "async/wake.hpp"
#include "base/fault.hpp"
#include "base/handle.hpp"

namespace satchel::worker {

namespace {

constexpr int daemon = 0;
constexpr std::size_t longest_order = 1U << 20;
constexpr int grace_milliseconds = 4000;

Fault broken(std::string why) {
  return Fault(Remedy::report_bug, Fault::Text{"talk with", "satcheld", std::move(why), {}});
}

}  // namespace

sync::WorkOrder Channel::order() {
  std::string line;
  std::array<char, 4096> piece;
  while (!line.ends_with('\n')) {
    const auto n = ::read(daemon, piece.data(), piece.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw broken("it gave no order");
    line.append(piece.data(), static_cast<std::size_t>(n));
    if (line.size() > longest_order) throw broken("its order is too long");
  }
  auto order = sync::parse_order(line);
  if (!order) throw broken(to_string(order.error()));
  return std::move(*order);
}

void Channel::watch(std::stop_source stop) {
  // Blocked in every thread that begins later: only this descriptor hears them.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  UniqueFd signals(::signalfd(-1, &ends, SFD_CLOEXEC));
  if (!signals) throw fault_from_errno(errno, "watch for", "signals");
  watcher_ = std::jthread([stop, signals = std::move(signals)](std::stop_token done) mutable {
    const StopWake wake(std::move(done));
    std::array<pollfd, 3> watched{
        {{daemon, 0, 0}, {signals.get(), POLLIN, 0}, {wake.fd(), POLLIN, 0}}};
    while (::poll(watched.data(), watched.size(), -1) < 0 && errno == EINTR) {
    }
    if (watched[2].revents != 0) return;
    stop.request_stop();
    pollfd end{wake.fd(), POLLIN, 0};
    int ready = -1;
    while ((ready = ::poll(&end, 1, grace_milliseconds)) < 0 && errno == EINTR) {
    }
    if (ready == 0) ::kill(0, SIGKILL);
  });
}

void Channel::hand_over(int listening) {
  char byte = 'L';
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  auto* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(control), &listening, sizeof listening);
  while (::sendmsg(daemon, &message, MSG_NOSIGNAL) < 0)
    if (errno != EINTR) throw fault_from_errno(errno, "hand a socket to", "satcheld");
}

void Channel::tell(const sync::WorkNews& news) {
  const auto line = sync::to_json(news) + "\n";
  const std::lock_guard lock(writing_);
  for (std::size_t at = 0; at < line.size();) {
    const auto n = ::write(STDOUT_FILENO, line.data() + at, line.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    at += static_cast<std::size_t>(n);
  }
}

}  // namespace satchel::worker
