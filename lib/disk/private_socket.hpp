// A listening Unix socket that has its clients already, and that nobody else can reach: for a child
// that only takes a listening socket. Inner header of lib/disk.
//
// A pair of sockets can't listen. An abstract name can be connected to by everybody in the network
// namespace, and only the service's own sandbox makes that one private. So the socket has a name in
// a directory for as long as the clients take to connect; its mode lets in only its own user, from
// its first instant.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/handle.hpp"

namespace satchel::disk {

struct PrivateSocket {
  UniqueFd listening;             ///< has no name any more
  std::vector<UniqueFd> clients;  ///< connected, not accepted yet; in the order of the connections
};

/// `directory`: one that nobody else may write to. Killed meanwhile, it leaves an empty socket
/// there. Throws Fault.
PrivateSocket private_socket(const std::string& directory, std::size_t clients);

}  // namespace satchel::disk
