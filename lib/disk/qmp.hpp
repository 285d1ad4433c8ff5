// QEMU's monitor protocol (docs/interop/qmp-spec.txt) over a socket: whole messages in, commands
// out, one at a time. One thread. Inner header of lib/disk.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/handle.hpp"

namespace satchel::disk {

class Qmp {
 public:
  /// Makes the pair of sockets.
  Qmp();

  int descriptor() const { return ours_.get(); }
  /// The end that the child gets. Stays open here too: its end is known by the process's.
  int for_child() const { return theirs_.get(); }

  /// What has come since, events included. A message that is not JSON is left out.
  std::vector<nlohmann::json> receive();
  /// Throws Fault when the socket takes no more; a side that is gone is noticed elsewhere.
  void send(const std::string& command, const nlohmann::json& arguments);

 private:
  UniqueFd ours_;
  UniqueFd theirs_;
  std::string unread_;
};

}  // namespace satchel::disk
