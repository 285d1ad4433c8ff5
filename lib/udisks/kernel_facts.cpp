#include "udisks/kernel_facts.hpp"

#include <sys/sysmacros.h>

#include <cstdint>
#include <fstream>
#include <sstream>

namespace satchel {

std::optional<ByteCount> kernel_size(const std::string& node) {
  std::ifstream size("/sys/class/block/" + node.substr(node.rfind('/') + 1) + "/size");
  std::uint64_t sectors = 0;
  if (!(size >> sectors)) return std::nullopt;
  return ByteCount(sectors * 512);
}

std::optional<std::string> kernel_mount(dev_t number) {
  const auto wanted = std::to_string(major(number)) + ":" + std::to_string(minor(number));
  std::ifstream mounts("/proc/self/mountinfo");  // proc(5)
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string id, parent, device, in_filesystem, point;
    fields >> id >> parent >> device >> in_filesystem >> point;
    if (device == wanted) return point;
  }
  return std::nullopt;
}

}  // namespace satchel
