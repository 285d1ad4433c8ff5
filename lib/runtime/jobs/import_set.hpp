// A machine's files in a person's directory: an export of ours, or domain XML and disks with or
// without what `virsh save` wrote. All of it is foreign input: files are found beneath the
// directory alone, opened once, checked on that descriptor, and what was checked is what is used.
// Files lane.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/handle.hpp"
#include "disk/given_directory.hpp"
#include "disk/qemu_img.hpp"
#include "machine/description.hpp"
#include "machine/firmware.hpp"
#include "runtime/jobs/saved_memory.hpp"

namespace satchel {

struct ImportedDisk {
  std::string target;
  std::vector<UniqueFd> files;           ///< top first; kept open for `source`
  std::vector<disk::SourceFile> source;  ///< the same, by path, each format named
  ByteCount virtual_size;
  ByteCount flat_size;
};

struct ImportSet {
  machine::Description machine;
  std::vector<ImportedDisk> disks;
  std::optional<ImportedMemory> memory;
  std::optional<std::string> nvram;
  std::vector<std::string> left_behind;  ///< sentences: what of the domain does not travel
};

enum class ImportMemory { with, without };

/// Reads the set. Throws Fault that names what is wrong with it.
ImportSet read_import_set(const disk::GivenDirectory& from, ImportMemory memory,
                          const std::vector<machine::FirmwareFiles>& firmware);

}  // namespace satchel
