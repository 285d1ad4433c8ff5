// The disks of an import: paths of another place become files of the given directory, and each is
// checked before QEMU's tools may open it. Files lane.
#pragma once

#include <optional>
#include <string>

#include "disk/given_directory.hpp"
#include "machine/reading.hpp"
#include "runtime/jobs/import_set.hpp"

namespace satchel {

/// Which file of the directory a path stands for: one below the directory by what follows, any
/// other by its last part; none when that is not there.
std::optional<std::string> find_in_set(const disk::GivenDirectory& from, const std::string& path);

/// Opens the disk's chain as the files' headers have it, each beneath the directory, and checks it.
/// Throws Fault naming the file.
ImportedDisk open_imported_disk(const disk::GivenDirectory& from,
                                const machine::DiskSource& source);

}  // namespace satchel
