// Copies the files of a generation's disks from its device to this computer, a piece at a time, and
// goes on where an earlier one ended. Files lane.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "crypto/digest.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/disk_cache.hpp"

namespace satchel {

class DiskFill {
 public:
  /// Of the capsule's newest generation, which has to be this one. `cache` outlives this.
  DiskFill(const DiskCache& cache, format::CapsuleDirectory capsule,
           const GenerationId& generation);

  enum class Left { more, nothing, no_room, not_as_stated };
  /// Reads about so much of the device, or checks what an earlier one has left. `nothing`: all is
  /// kept now. `no_room`: it does not fit here. `not_as_stated`: a file is unlike what its head
  /// says, as one is that a merge was changing. Throws Fault.
  Left go_on(ByteCount amount);

 private:
  struct File {
    format::Object object;
    UniqueFd from;
    UniqueFd part;
    Hasher hasher;
    ByteCount done;
    ByteCount kept;  ///< of an earlier attempt, to be read here first
  };
  bool begin_next();
  void read_on(File& file, ByteCount amount);

  const DiskCache& cache_;
  format::CapsuleDirectory capsule_;
  std::string bytes_;  ///< of the head
  format::Head head_;
  std::vector<format::Object> missing_;  ///< the next is the last
  std::optional<File> file_;
  bool has_room_ = false;
  std::vector<std::byte> buffer_;
};

}  // namespace satchel
