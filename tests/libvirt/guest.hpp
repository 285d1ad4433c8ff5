// A real guest in one boot sector: at each round it counts in memory, writes the count to sector 1,
// reads sector 2 and prints that sector's first byte and the count's last octal digit to the serial
// port, or "!" when a disk request fails.
#pragma once

#include <string>

#include "ports/hypervisor.hpp"

namespace satchel::test {

/// A raw disk of 2 MiB with the boot sector, and `mark` as the first byte of sector 2.
std::string boot_disk(char mark);

struct TinyGuest {
  DomainId id{Uuid::random()};
  std::string name;
  std::string disks;          ///< `<disk>` elements; none: the firmware idles
  std::string type = "qemu";  ///< the domain's: "test" for libvirt's test driver
  std::string serial;         ///< file that the serial port appends to; none when empty

  std::string xml() const;
};

/// A `<disk>` element for vda: qcow2 at a path, optionally over a backing file, each optionally
/// named by a descriptor group.
struct TinyDisk {
  std::string path;
  std::string group;
  std::string format = "qcow2";
  std::string backing;
  std::string backing_group;
  std::string backing_format = "raw";

  std::string xml() const;
};

}  // namespace satchel::test
