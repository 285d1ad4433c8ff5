// Shows disk chains, read-only, to whoever connects to a listening socket: NBD by a child
// qemu-storage-daemon that gets descriptors and never a path on the device. Blocking: call it on a
// lane.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

namespace satchel::disk {

/// One disk: its qcow2 files, bottom first, each already checked on that descriptor.
struct ShownChain {
  std::string name;  ///< of the NBD export, "vda"
  std::vector<int> files;
};

struct Export {
  std::vector<ShownChain> chains;
  int listening = -1;  ///< a listening Unix socket; may have clients waiting already
  std::stop_token stop;
};

/// Serves until the stop request. Should this process be killed, the child ends with it: nothing
/// keeps the device busy. Throws Fault, in QEMU's words, when the child ends by itself.
void serve(const Export& order);

/// The child's command line; the descriptors follow from 3 on: the chains' in their order, then the
/// socket's. For tests.
std::vector<std::string> export_arguments(const Export& order);

}  // namespace satchel::disk
