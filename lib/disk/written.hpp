// Which parts of a disk a session's overlays decide, and where in those files the bytes stand: what
// an eject writes with the layers need not be written with the memory again. Blocking: the files
// lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

namespace satchel::disk {

/// A part of the disk, as the guest sees it, that an overlay decides.
struct Written {
  enum class As {
    data,        ///< stands in a file as it is
    zeros,       ///< reads as zeros: made so, or discarded
    compressed,  ///< is in a file, but nowhere as it is
  };
  std::uint64_t offset;  ///< on the disk
  std::uint64_t length;  ///< not 0
  As as;
  std::size_t file = 0;     ///< of data: which overlay
  std::uint64_t place = 0;  ///< of data: the first byte's offset in that file
};

/// All that the overlays of one disk decide together, each over those before it, within the size
/// that the last one gives the disk: in order, nothing twice, neighbours joined. What is not told
/// shows what is below. No header has a say in what that is. Safe while a suspended guest has the
/// files open, and right as long as it stays suspended. The answer has 40 bytes for each extent, of
/// which there is at most one a cluster: 640 KiB for each GiB written, were all of it strewn;
/// making it takes three times that. Throws Fault, with qemu-img's own words; Remedy::retry when it
/// was stopped.
std::vector<Written> written_in(const std::vector<std::string>& overlays, std::stop_token stop);

}  // namespace satchel::disk
