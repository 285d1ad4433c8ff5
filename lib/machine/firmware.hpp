// Which EFI firmware this host has, from QEMU's firmware descriptors (docs/interop/firmware.json
// in QEMU), and which of it fits a machine. Reading the host's files: any thread, may block.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "machine/description.hpp"

namespace satchel::machine {

struct FirmwareFiles {
  enum class SecureBoot { no, yes };
  std::string loader;          ///< flash image with the code, read-only
  std::string nvram_template;  ///< flash image with fresh variables
  ByteCount loader_size;
  SecureBoot secure_boot = SecureBoot::no;
  std::vector<std::string> machines;  ///< machine type prefixes it is made for: "pc-q35-"
};

/// One descriptor; none when it is no x86-64 EFI firmware of two flash images, or no descriptor.
std::optional<FirmwareFiles> read_firmware_descriptor(std::string_view json);

/// All firmware of this host in descriptor order: what an earlier directory has hides a file of the
/// same name in a later one. Usual: /etc/qemu/firmware, /usr/share/qemu/firmware. Missing
/// directories and files are passed over.
std::vector<FirmwareFiles> firmware_on_host(const std::vector<std::string>& directories = {
                                                "/etc/qemu/firmware", "/usr/share/qemu/firmware"});

/// The firmware to use: the one of the same file name, else one of the same size and kind; for a
/// machine whose flash size is not known, one of the same kind. Null when there is none, or the
/// machine needs none.
const FirmwareFiles* firmware_for(const Description& machine,
                                  const std::vector<FirmwareFiles>& available);

}  // namespace satchel::machine
