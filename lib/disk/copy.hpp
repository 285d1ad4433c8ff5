// Reads a sparse file in order, data and holes apart: how a layer goes to the device. Blocking; any
// thread.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stop_token>
#include <string>

#include "base/fault.hpp"
#include "base/ids.hpp"
#include "base/progress.hpp"

namespace satchel::disk {

struct SparseSource {
  int fd;
  /// What becomes of a failing read: host_fault_from_errno for a file of this computer.
  Fault (*fault)(int error, std::string doing, std::string object) = fault_from_errno;
};

struct SparseSink {
  std::function<void(std::span<const std::byte>)> write;
  std::function<void(ByteCount)> skip;  ///< so many bytes that read as zero
};

/// Gives the file from its first byte to its last; the two callbacks' bytes add up to the size it
/// has at the start, which is returned. The file's offset moves; nobody may write to it meanwhile.
/// Where the filesystem knows no holes all is data. Throws Fault, with Remedy::retry when stopped.
ByteCount copy_sparse(const SparseSource& from, const SparseSink& to, const ProgressSink& progress,
                      std::stop_token stop);

}  // namespace satchel::disk
