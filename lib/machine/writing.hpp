// Launching's side: a description becomes the XML of one session on one host. What the guest sees
// comes from the description, what names the host from the policy and the plan. Pure; any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "machine/description.hpp"
#include "machine/firmware.hpp"

namespace satchel::machine {

/// How a network interface is connected where neither the map nor a default network has a place.
enum class NetworkFallback { nat, link_down };

/// Whether this host's QEMU can show a display by SPICE; without, VNC shows it all the same.
enum class Spice { absent, offered };

/// What this host decides for every machine that comes.
struct HostPolicy {
  std::string emulator;
  Accelerator accelerator{};
  /// Name where it came from -> libvirt network here; empty: there is none for it now.
  std::map<std::string, std::string> networks;
  std::string default_network;  ///< for all others; empty: none
  NetworkFallback otherwise = NetworkFallback::nat;
  /// Of displays; none: a Unix socket that libvirt makes in the domain's own directory.
  std::optional<std::string> listen_address;
  Spice spice = Spice::absent;
  std::vector<FirmwareFiles> firmware;  ///< as firmware_on_host() finds it
};

struct SessionDisk {
  struct File {
    std::string fd_group;    ///< empty: QEMU opens shown_path itself
    std::string shown_path;  ///< what libvirt shows; need not exist where there is a group
    std::string format;      ///< raw, qcow2
  };
  std::string target;
  std::vector<File> chain;  ///< top (overlay) first
};

/// Whether the session goes on from a memory image or boots from its disks.
enum class Start { boot, resume };

/// What the first serial port leads to.
enum class Console {
  log,       ///< what it says is appended to a file; the other ports say nothing
  terminal,  ///< every serial port is a terminal (virsh console)
};

struct SessionPlan {
  std::string domain_name;
  Start start = Start::boot;
  /// One for each of the description's disks that is a "disk"; of the drives those with a medium.
  std::vector<SessionDisk> disks;
  std::string serial_log_path;  ///< gets what the first serial port says; empty: nowhere
  std::string nvram_path;       ///< this session's copy; needed for EFI
  Console console = Console::log;
};

/// Whether a card has its cable unplugged here, because the network that it is for is not up.
bool comes_unplugged(const Interface& nic, const HostPolicy& policy, Start start);

/// Domain XML for libvirt 9 and later. Call it only when obstacles() has nothing against it: a disk
/// without a chain or firmware that is not here is a Fault{report_bug}.
std::string write_domain(const Description& machine, const HostPolicy& policy,
                         const SessionPlan& plan);

/// A domain's XML with these chains in the place of those that it has, where a file of one is a
/// descriptor; nothing else is changed. Throws Fault when it is not XML.
std::string with_chains(const std::string& domain_xml, const std::vector<SessionDisk>& disks);

}  // namespace satchel::machine
