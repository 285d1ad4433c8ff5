#include "runtime/sync_worker.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "async/process.hpp"
#include "async/wake.hpp"
#include "base/fault.hpp"
#include "disk/export.hpp"

namespace satchel {

namespace {

constexpr std::size_t longest_line = 4U << 20;

struct Pair {
  UniqueFd ours, theirs;
  Pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      throw fault_from_errno(errno, "make", "a pair of sockets");
    ours.reset(ends[0]);
    theirs.reset(ends[1]);
  }
};

void send_all(int to, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto n = ::send(to, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw fault_from_errno(errno, "give its order to", "satchel-sync");
    at += static_cast<std::size_t>(n);
  }
}

/// The socket on which the worker wants to see the disks; none when stopped or when it ended.
UniqueFd receive_socket(int from, const std::stop_token& stop) {
  const StopWake wake(stop);
  for (;;) {
    std::array<pollfd, 2> watched{{{from, POLLIN, 0}, {wake.fd(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return {};
    if (watched[1].revents != 0) return {};
    if (watched[0].revents == 0) continue;
    char byte = 0;
    iovec part{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    if (::recvmsg(from, &message, MSG_CMSG_CLOEXEC) <= 0) return {};
    const auto* control = CMSG_FIRSTHDR(&message);
    if (control == nullptr || control->cmsg_type != SCM_RIGHTS) return {};
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(control), sizeof fd);
    return UniqueFd(fd);
  }
}

/// What the worker has said, line by line.
class Hearing {
 public:
  /// `expected`: rules whose end it may tell.
  Hearing(const ProgressSink& progress, std::size_t expected)
      : progress_(progress), expected_(expected) {}

  void hear(std::string_view piece) {
    text_ += piece;
    std::size_t from = 0;
    for (auto end = text_.find('\n'); end != text_.npos; end = text_.find('\n', from)) {
      take(std::string_view(text_).substr(from, end - from));
      from = end + 1;
    }
    text_.erase(0, from);
    if (text_.size() > longest_line) text_.clear();
  }

  std::vector<sync::RuleEnd> rules;
  std::optional<Fault> fault;

 private:
  void take(std::string_view line) {
    auto news = sync::parse_news(line);
    if (!news) return;
    if (const auto* progress = std::get_if<Progress>(&*news)) {
      if (progress_) progress_(*progress);
    } else if (auto* rule = std::get_if<sync::RuleEnd>(&*news)) {
      // One too many says as much as a thousand.
      if (rules.size() <= expected_) rules.push_back(std::move(*rule));
    } else {
      fault = std::get<Fault>(*news);
    }
  }

  const ProgressSink& progress_;
  const std::size_t expected_;
  std::string text_;
};

void show_disks(const std::vector<OpenDisk>& disks, int to, const std::stop_token& stop) {
  const auto listening = receive_socket(to, stop);
  if (!listening) return;
  disk::Export order;
  for (const auto& disk : disks) {
    disk::ShownChain chain{disk.target, {}};
    for (const auto& file : disk.files) chain.files.push_back(file.get());
    order.chains.push_back(std::move(chain));
  }
  order.listening = listening.get();
  order.stop = stop;
  disk::serve(order);
}

}  // namespace

std::vector<sync::RuleEnd> run_sync_worker(const WorkerRun& run) {
  Pair pair;
  send_all(pair.ours.get(), sync::to_json(run.order) + "\n");
  std::stop_source ending;
  const std::stop_callback relay(run.stop, [&ending] { ending.request_stop(); });
  std::optional<Fault> not_shown;
  std::jthread showing([&](std::stop_token stop) {
    try {
      show_disks(run.disks, pair.ours.get(), stop);
    } catch (const Fault& fault) {
      not_shown = fault;
      ending.request_stop();
    }
  });
  Hearing hearing(run.progress, run.order.rules.size());
  ProcessRun process;
  process.arguments = run.command;
  process.input = pair.theirs.get();
  process.on_output = [&](std::string_view piece) { hearing.hear(piece); };
  process.stop = ending.get_token();
  const auto end = run_process(process);
  showing.request_stop();
  showing.join();
  if (run.stop.stop_requested())
    throw Fault(Remedy::retry, Fault::Text{"sync", run.order.capsule_name, "it was stopped",
                                           "What was done stays; the rest is done next time."});
  if (not_shown) throw *not_shown;
  if (hearing.fault) throw *hearing.fault;
  if (end.exit_status == 127)
    throw Fault(Remedy::ask_admin, Fault::Text{"start", "satchel-sync", sync::shown(end.errors),
                                               "Install the package libguestfs0."});
  if (end.exit_status != 0 || hearing.rules.size() != run.order.rules.size())
    throw Fault(Remedy::retry,
                Fault::Text{"sync", run.order.capsule_name,
                            "satchel-sync ended with status " + std::to_string(end.exit_status) +
                                (end.errors.empty() ? "" : ": " + sync::shown(end.errors)),
                            "What was done stays; run it again."});
  return std::move(hearing.rules);
}

}  // namespace satchel
