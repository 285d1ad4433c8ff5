// The kernel's block devices as udev announces them, for the daemon: the real Plugs. Owned by the
// composition root; lives on the loop thread, which is that of the executor given.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>

#include "base/handle.hpp"
#include "base/ids.hpp"
#include "ports/plugs.hpp"
#include "udev/told_plugs.hpp"

struct udev;
struct udev_monitor;

namespace satchel {

class UdevPlugs : public Plugs {
 public:
  /// `receive_buffer`: how much the kernel keeps for us while the loop is busy. Without
  /// CAP_NET_ADMIN it is cut to net.core.rmem_max; a lost event only costs a new enumeration.
  /// `socket`: one of udev's netlink group that somebody made who shares udevd's network namespace,
  /// where the caller need not (systemd/satcheld-udev.socket); none: one of its own.
  explicit UdevPlugs(boost::asio::any_io_executor loop, ByteCount receive_buffer = mebibytes(16),
                     UniqueFd socket = UniqueFd());

  /// Throws Fault when udev's events can't be had at all.
  void start(Listener listener) override;

 private:
  struct Unref {
    void operator()(udev* context) const;
    void operator()(udev_monitor* monitor) const;
  };

  void listen();
  void wait();
  void drain();
  void enumerate();

  boost::asio::posix::stream_descriptor readable_;
  ByteCount receive_buffer_;
  UniqueFd socket_;
  std::unique_ptr<udev, Unref> udev_;
  std::unique_ptr<udev_monitor, Unref> monitor_;
  ToldPlugs told_;
};

}  // namespace satchel
