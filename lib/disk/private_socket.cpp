#include "disk/private_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <random>
#include <utility>

#include "base/fault.hpp"

namespace satchel::disk {

namespace {

UniqueFd new_socket() {
  UniqueFd out(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!out) throw fault_from_errno(errno, "make", "a socket");
  return out;
}

/// A socket's name in a directory; taken away again at the end.
class Name {
 public:
  Name(const std::string& directory, int socket) : shown_(directory) {
    where_.reset(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!where_) throw fault_from_errno(errno, "open", shown_);
    std::random_device dice;
    name_ = ".disks-" + std::to_string(dice()) + "-" + std::to_string(dice());
    // By the descriptor: a socket's address holds 107 characters, and a directory's path has more.
    address_.sun_family = AF_UNIX;
    const auto path = "/proc/self/fd/" + std::to_string(where_.get()) + "/" + name_;
    path.copy(address_.sun_path, sizeof address_.sun_path - 1);
    // The name's own mode follows from it.
    if (::fchmod(socket, 0600) != 0 || ::bind(socket, address(), sizeof address_) != 0)
      throw fault_from_errno(errno, "make a socket in", shown_);
  }
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
  // It may fail only with the directory gone, and the name with it.
  ~Name() { ::unlinkat(where_.get(), name_.c_str(), 0); }

  UniqueFd connect() const {
    auto out = new_socket();
    while (::connect(out.get(), address(), sizeof address_) != 0)
      if (errno != EINTR) throw fault_from_errno(errno, "connect to a socket in", shown_);
    return out;
  }

 private:
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }

  std::string shown_;
  UniqueFd where_;
  std::string name_;
  sockaddr_un address_{};
};

}  // namespace

PrivateSocket private_socket(const std::string& directory, std::size_t clients) {
  PrivateSocket out;
  out.listening = new_socket();
  const Name name(directory, out.listening.get());
  // Room for all of them: connecting waits for nobody.
  if (::listen(out.listening.get(), static_cast<int>(clients)) != 0)
    throw fault_from_errno(errno, "listen on a socket in", directory);
  while (out.clients.size() < clients) out.clients.push_back(name.connect());
  return out;
}

}  // namespace satchel::disk
