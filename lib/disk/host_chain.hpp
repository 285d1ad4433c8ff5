// The backing chain of a disk of this host's own, as its files' headers say: for machines that are
// shut off, whose XML names the top only. Never for files from a device. Blocking; any thread.
#pragma once

#include <vector>

#include "disk/qemu_img.hpp"

namespace satchel::disk {

/// The files from `top` down. A backing file without a recorded format is a Fault (nothing is
/// probed), and so is a chain of more than 64 files.
std::vector<SourceFile> host_chain(SourceFile top);

}  // namespace satchel::disk
