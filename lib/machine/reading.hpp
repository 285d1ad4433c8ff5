// Packing's side: a domain's XML becomes a description, and what of it can't travel is named.
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/description.hpp"

namespace satchel::machine {

/// One file (or block device) of a disk's chain on this host.
struct Backing {
  std::string path;
  std::string format;  ///< raw, qcow2
  bool operator==(const Backing&) const = default;
};

/// Where the content of a travelling disk is on this host.
struct DiskSource {
  enum class Chain {
    as_listed,  ///< the XML of a running guest says where the chain ends
    unknown,    ///< the XML names the top only: the files' headers have to be asked
  };
  std::string target;  ///< "vda"
  std::string path;
  std::string format;            ///< raw, qcow2
  std::vector<Backing> backing;  ///< below path, from top to bottom
  Chain chain = Chain::unknown;
};

struct Reading {
  Description machine;
  std::vector<DiskSource> disks;           ///< of machine.devices.disks those that are "disk"
  std::optional<std::string> loader_path;  ///< flash image on this host; its size is to be noted
  std::optional<std::string> nvram_path;
  std::vector<std::string> media;  ///< targets of CD drives that are closed on a medium
  Mistakes left_behind;            ///< what stays here, harmlessly: warnings
};

/// Whether the machine's memory travels too: a device that is in its image can't be left behind.
enum class Moment { running, shut_off };

/// Reads domain XML as libvirt gives it for a running guest (migratable or not) or its inactive
/// definition. What can't travel is a mistake, all of them at once, each with its place in the XML.
Result<Reading> read_domain(std::string_view xml, Moment moment = Moment::running);

/// Notes the size of the firmware's flash image in the description: another host must have one of
/// the very same size. Asks the filesystem; a file that is not there leaves the size open.
void measure_firmware(Reading& reading);

}  // namespace satchel::machine
