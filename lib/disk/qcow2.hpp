// The structure of a qcow2 file (QEMU: docs/interop/qcow2.txt), checked on a descriptor before QEMU
// may open it: the device decides nothing about the host. Blocking reads; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace satchel::disk {

struct Qcow2Header {
  std::uint32_t version;  ///< 2 or 3
  std::optional<std::string> backing_name;
  std::optional<std::string> backing_format;
  std::uint32_t cluster_bits;
  ByteCount virtual_size;
  std::uint32_t l1_entries;
  std::uint64_t incompatible_features;
  bool has_data_file;
  bool has_bitmaps;
  bool encrypted;
  std::uint32_t snapshots;
};

/// Reads header, extensions and backing name; structure only.
Result<Qcow2Header> read_qcow2(int fd);
/// Whether it could not be read at all: nothing is known of the file, but of its disk.
bool is_read_error(const Mistakes& mistakes);

struct Expected {
  enum class Size {
    exact,
    at_most,  ///< a disk may have grown since: what lies below is as large as it was then
  };
  /// Satchel's files have no bitmaps, and no level 1 table that is larger than the disk needs. QEMU
  /// reads both whole when it opens a file: a small one can have it take any amount of memory.
  enum class MadeBy { satchel, people };
  /// Plain file name of the one below in the same directory; none for an image file.
  std::optional<std::string> backing_name;
  ByteCount virtual_size;
  std::optional<std::string> backing_format = "qcow2";
  Size size = Size::exact;
  MadeBy made_by = MadeBy::satchel;
};

/// Empty when QEMU may open it: backing name and format exactly as expected, no data file,
/// no encryption, neither bitmaps nor spare tables where Satchel made it, no feature that we don't
/// know (dirty and corrupt bits among them: say so), size as expected, tables within the file.
Mistakes check_qcow2(int fd, const Expected& expected);

/// Makes a qcow2 file's header name this backing file, of format qcow2, in place and with nothing
/// else changed; writes nothing where it does already. For the file right above the ones that a
/// live commit merged, which QEMU leaves with a path of the host: what goes to a device names its
/// plain neighbour. `name` has 1 to 255 bytes. Nobody else may have the file open; what is written
/// is not durable. Throws Fault when the file is no sound qcow2 file with a backing file, or the
/// header's cluster has no room for the name.
void set_backing(int fd, const std::string& name);

}  // namespace satchel::disk
