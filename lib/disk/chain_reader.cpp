#include "disk/chain_reader.hpp"

#include <libnbd.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "async/wake.hpp"
#include "base/fault.hpp"
#include "base/handle.hpp"
#include "disk/private_socket.hpp"

namespace satchel::disk {

namespace {

constexpr auto qemu = "qemu-storage-daemon";
constexpr std::size_t most_at_once = 1U << 20;
/// How long a child that has left a connection may take to end by itself, in milliseconds.
constexpr int patience = 5'000;

using Connection = Handle<nbd_handle, nbd_close>;

Fault failed(const std::string& disk, std::string why, Remedy remedy) {
  return Fault(remedy, {"read the disk", disk, std::move(why), {}});
}

/// Serves the chains by a thread, which has the child.
class Server {
 public:
  Server(const std::vector<ShownChain>& chains, UniqueFd listening)
      : ended_(::eventfd(0, EFD_CLOEXEC)), listening_(std::move(listening)) {
    if (!ended_) throw fault_from_errno(errno, "make", "an event descriptor");
    thread_ = std::jthread([this, &chains](std::stop_token stop) {
      try {
        serve({chains, listening_.get(), std::move(stop)});
      } catch (const Fault& fault) {
        fault_ = fault;
      } catch (const std::exception& mistake) {
        fault_ = failed("of a chain", mistake.what(), Remedy::report_bug);
      }
      // Fails only when the counter is full, and it is 0.
      [[maybe_unused]] const int result = ::eventfd_write(ended_.get(), 1);
    });
  }

  int ended() const { return ended_.get(); }
  void request_stop() { thread_.request_stop(); }
  /// Waits for the child's end; why it ended by itself.
  const std::optional<Fault>& end() {
    if (thread_.joinable()) {
      thread_.request_stop();
      thread_.join();
    }
    return fault_;
  }

 private:
  UniqueFd ended_;
  UniqueFd listening_;
  std::optional<Fault> fault_;
  std::jthread thread_;
};

}  // namespace

class ChainReader::Child {
 public:
  Child(const std::vector<ShownChain>& chains, const std::string& directory, std::stop_token stop)
      : Child(chains, private_socket(directory, chains.size()), std::move(stop)) {}

  void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) {
    if (lost_) throw *lost_;
    const auto size = static_cast<std::uint64_t>(nbd_get_size(connections_[index].get()));
    if (offset > size || out.size() > size - offset)
      throw failed(chains_[index].name,
                   "what is asked for lies past its end, which is at " + std::to_string(size),
                   Remedy::choose);
    while (!out.empty()) {
      const auto piece = out.first(std::min(out.size(), most_at_once));
      read_piece(index, offset, piece);
      offset += piece.size();
      out = out.subspan(piece.size());
    }
  }

 private:
  Child(const std::vector<ShownChain>& chains, PrivateSocket socket, std::stop_token stop)
      : chains_(chains),
        wake_(stop),
        server_(chains, std::move(socket.listening)),
        relay_(std::move(stop), [this] { server_.request_stop(); }) {
    for (std::size_t i = 0; i < chains_.size(); ++i) connect(i, std::move(socket.clients[i]));
  }

  void connect(std::size_t index, UniqueFd socket) {
    auto& connection = connections_.emplace_back(nbd_create());
    auto* nbd = connection.get();
    // Simple replies, as QEMU answers a structured one that it can't read by leaving.
    if (nbd == nullptr || nbd_set_export_name(nbd, chains_[index].name.c_str()) != 0 ||
        nbd_set_request_structured_replies(nbd, false) != 0)
      throw failed(chains_[index].name, nbd_get_error(), Remedy::report_bug);
    // From here on the socket is the connection's, whatever comes of it.
    if (nbd_aio_connect_socket(nbd, socket.release()) != 0) lose(index);
    while (nbd_aio_is_connecting(nbd) == 1) turn(index);
    if (nbd_aio_is_ready(nbd) != 1) lose(index);
  }

  void read_piece(std::size_t index, std::uint64_t offset, std::span<std::byte> out) {
    auto* nbd = connections_[index].get();
    const auto cookie = nbd_aio_pread(nbd, out.data(), out.size(), offset, {}, 0);
    if (cookie < 0) lose(index);
    int done = 0;
    while ((done = nbd_aio_command_completed(nbd, static_cast<std::uint64_t>(cookie))) == 0)
      turn(index);
    if (done == 1) return;
    const int error = nbd_get_errno();
    if (nbd_aio_is_ready(nbd) != 1) lose(index);
    // By EINVAL QEMU also says what has no number in NBD, as ENODEV; ours can't be invalid.
    throw fault_from_errno(error == EINVAL ? EIO : error, "read the disk", chains_[index].name);
  }

  /// Waits until something can go on, and lets it.
  void turn(std::size_t index) {
    auto* nbd = connections_[index].get();
    const unsigned direction = nbd_aio_get_direction(nbd);
    const bool reads = (direction & LIBNBD_AIO_DIRECTION_READ) != 0;
    const bool writes = (direction & LIBNBD_AIO_DIRECTION_WRITE) != 0;
    const auto events = static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
    std::array<pollfd, 3> watched{
        {{nbd_aio_get_fd(nbd), events, 0}, {wake_.fd(), POLLIN, 0}, {server_.ended(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0) {
      if (errno == EINTR) return;
      give_up(fault_from_errno(errno, "wait for", qemu));
    }
    if (watched[1].revents != 0)
      give_up(failed(chains_[index].name, "it was stopped", Remedy::retry));
    if (watched[2].revents != 0) lose(index);
    // One of the two: after it the other may be out of place.
    const bool broken = (watched[0].revents & (POLLHUP | POLLERR)) != 0;
    int went = 0;
    if (reads && (broken || (watched[0].revents & POLLIN) != 0))
      went = nbd_aio_notify_read(nbd);
    else if (writes && watched[0].revents != 0)
      went = nbd_aio_notify_write(nbd);
    if (went != 0) lose(index);
  }

  /// For a read that is not over: nothing of any connection is used from here on, and the memory
  /// that it was to fill may go.
  [[noreturn]] void give_up(Fault fault) {
    lost_ = std::move(fault);
    throw *lost_;
  }

  /// The connection is of no use any more: mostly because the child has ended, which knows why.
  [[noreturn]] void lose(std::size_t index) {
    const auto* words = nbd_get_error();
    auto fault =
        failed(chains_[index].name, words == nullptr ? "QEMU has gone" : words, Remedy::retry);
    pollfd watched{server_.ended(), POLLIN, 0};
    ::poll(&watched, 1, patience);
    const auto& end = server_.end();
    give_up(end ? *end : std::move(fault));
  }

  const std::vector<ShownChain>& chains_;
  StopWake wake_;
  Server server_;
  std::stop_callback<std::function<void()>> relay_;
  std::vector<Connection> connections_;
  std::optional<Fault> lost_;
};

ChainReader::ChainReader(std::vector<ShownChain> chains, std::string directory,
                         std::stop_token stop)
    : chains_(std::move(chains)), directory_(std::move(directory)), stop_(std::move(stop)) {}

ChainReader::~ChainReader() = default;

void ChainReader::read(std::size_t disk, std::uint64_t offset, std::span<std::byte> out) {
  if (disk >= chains_.size())
    throw failed(std::to_string(disk), "there is no such disk", Remedy::report_bug);
  if (stop_.stop_requested()) throw failed(chains_[disk].name, "it was stopped", Remedy::retry);
  if (!child_) child_ = std::make_unique<Child>(chains_, directory_, stop_);
  child_->read(disk, offset, out);
}

}  // namespace satchel::disk
