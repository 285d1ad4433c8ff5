// The composition root: the daemon's parts, built in order, ended in the reverse.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <memory>
#include <optional>

#include "bus/bus.hpp"
#include "bus/bus_faces.hpp"
#include "bus/polkit.hpp"
#include "bus/sleep.hpp"
#include "config/config.hpp"
#include "crypto/host_key.hpp"
#include "libvirt/hypervisor.hpp"
#include "places.hpp"
#include "runtime/host.hpp"
#include "session/session_shelf.hpp"
#include "udev/plugs.hpp"
#include "udisks/volumes.hpp"

namespace satchel {

class Service {
 public:
  Service(Places places, Config config, Log& log);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  /// Serves until SIGTERM or SIGINT, or until the bus is lost; gives the exit status.
  int run();

 private:
  Task<void> start();
  /// Takes the name on the bus.
  Task<void> come_up();
  Task<void> stop();
  Task<void> give_up();
  void end(int status);
  void sleep_begins();

  Places places_;
  Log& log_;
  int status_ = 0;
  boost::asio::io_context io_;
  boost::asio::signal_set signals_;
  HostKey key_;
  SessionShelf shelf_;
  Lanes lanes_;
  Bus bus_;
  PolkitAuthority authority_;
  UDisksVolumes volumes_;
  UdevPlugs plugs_;
  LibvirtHypervisor hypervisor_;
  Parts parts_;
  Host host_;
  Sleep sleep_;
  std::optional<BusFaces> faces_;
};

}  // namespace satchel
