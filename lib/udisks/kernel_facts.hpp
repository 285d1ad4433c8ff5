// What the kernel says of a block device at this moment, which UDisks2 may not have noticed yet.
// Inside lib/udisks only. Blocking for no longer than a look at /proc and /sys.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/ids.hpp"

namespace satchel {

/// Bytes of the block device as the kernel has it now; none when it has no such device.
std::optional<ByteCount> kernel_size(const std::string& node);

/// Where the kernel has the device mounted, in this process's view.
std::optional<std::string> kernel_mount(dev_t number);

}  // namespace satchel
