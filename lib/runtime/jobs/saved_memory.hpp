// The memory in a save image as libvirt makes it (raw, uncompressed), and how it becomes the
// hibernation file of a new capsule. Files lane.
#pragma once

#include <stop_token>
#include <string>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "format/capsule_directory.hpp"
#include "format/head.hpp"
#include "runtime/parts.hpp"

namespace satchel {

struct ImportedMemory {
  UniqueFd file;
  ByteCount stream_at;  ///< where QEMU's stream begins
  ByteCount stream_size;
  bool was_paused = false;
};

struct SaveImage {
  ImportedMemory memory;
  std::string xml;  ///< the machine as it was when it was saved
};

/// So many bytes from there; fewer at the file's end. Throws Fault.
std::string read_at(int fd, std::uint64_t at, std::size_t size, const std::string& shown);

/// Reads an image's header and description. `doing` and `shown` are for sentences: "import",
/// "/home/ann/web/guest.save". Throws Fault{fix_request} for what is none, or was not finished.
SaveImage open_save_image(UniqueFd file, const std::string& doing, const std::string& shown);

/// Encodes the image's stream as the hibernation file of generation 1 and names it in the head.
/// `emulator` is for people: who made it. Throws Fault.
void store_memory(format::CapsuleDirectory& capsule, format::Head& head,
                  const ImportedMemory& memory, const Config& config, Accelerator accelerator,
                  std::string emulator, Meter& meter, std::stop_token stop);

}  // namespace satchel
