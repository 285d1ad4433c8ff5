#include "disk/qmp.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/fault.hpp"

namespace satchel::disk {

namespace {

constexpr auto monitor = "QEMU's monitor";
/// More than any answer to what is asked here.
constexpr std::size_t longest_message = 1U << 20;

}  // namespace

Qmp::Qmp() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw fault_from_errno(errno, "make a socket for", monitor);
  ours_.reset(ends[0]);
  theirs_.reset(ends[1]);
}

std::vector<nlohmann::json> Qmp::receive() {
  std::vector<nlohmann::json> messages;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t n = ::recv(ours_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;  // nothing more now, or for ever: the child's end tells which
    unread_.append(buffer.data(), static_cast<std::size_t>(n));
    for (auto end = unread_.find('\n'); end != std::string::npos; end = unread_.find('\n')) {
      auto message = nlohmann::json::parse(unread_.substr(0, end), nullptr, false);
      unread_.erase(0, end + 1);
      if (message.is_object()) messages.push_back(std::move(message));
    }
    if (unread_.size() > longest_message)
      throw Fault(Remedy::report_bug, {"talk to", monitor, "it says too much at once", {}});
  }
  return messages;
}

void Qmp::send(const std::string& command, const nlohmann::json& arguments) {
  nlohmann::json message{{"execute", command}};
  if (!arguments.empty()) message["arguments"] = arguments;
  const auto text = message.dump() + "\n";
  const ssize_t n = ::send(ours_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n == static_cast<ssize_t>(text.size()) || (n < 0 && (errno == EPIPE || errno == ECONNRESET)))
    return;
  throw fault_from_errno(n < 0 ? errno : EIO, "talk to", monitor);
}

}  // namespace satchel::disk
