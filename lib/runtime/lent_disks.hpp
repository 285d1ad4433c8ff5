// The disks of a generation, whose pages its memory has borrowed
// (docs/decisions/0030-borrowed-pages.md). Files lane.
#pragma once

#include <filesystem>
#include <stop_token>

#include "format/capsule_directory.hpp"
#include "format/head.hpp"
#include "hibernation/page_codec.hpp"

namespace satchel {

/// Reads what the head's chains show, if the map has anything of them: their files are opened and
/// checked now. `directory`: as fifo_directory() gives it. Throws Fault.
hibernation::DiskReader lent_disks(const format::CapsuleDirectory& capsule,
                                   const format::Head& head, const hibernation::PageMap& map,
                                   const std::filesystem::path& directory, std::stop_token stop);

}  // namespace satchel
