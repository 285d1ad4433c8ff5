#include "udisks/kernel_facts.hpp"

#include <sys/sysmacros.h>

#include <cstdint>
#include <fstream>
#include <sstream>

namespace satchel {

namespace {

bool is_mask(const std::string& option) {
  return option == "umask" || option == "fmask" || option == "dmask";
}

void add_options(KernelMount& mount, const std::string& words) {
  std::istringstream each(words);
  for (std::string word; std::getline(each, word, ',');) mount.options.insert(word);
}

}  // namespace

std::optional<ByteCount> kernel_size(const std::string& node) {
  std::ifstream size("/sys/class/block/" + node.substr(node.rfind('/') + 1) + "/size");
  std::uint64_t sectors = 0;
  if (!(size >> sectors)) return std::nullopt;
  return ByteCount(sectors * 512);
}

std::optional<std::string> kernel_mount(dev_t number) {
  const auto found = kernel_mount_of(number);
  return found ? std::optional(found->point) : std::nullopt;
}

std::optional<KernelMount> read_mount(const std::string& line, const std::string& device) {
  std::istringstream fields(line);
  std::string id, parent, number, in_filesystem, word;
  KernelMount found;
  fields >> id >> parent >> number >> in_filesystem >> found.point;
  if (number != device) return std::nullopt;
  fields >> word;
  add_options(found, word);
  while (fields >> word && word != "-") {
  }
  std::string source;
  fields >> found.type >> source >> word;
  add_options(found, word);
  return found;
}

std::optional<KernelMount> kernel_mount_of(dev_t number) {
  const auto device = std::to_string(major(number)) + ":" + std::to_string(minor(number));
  std::ifstream mounts("/proc/self/mountinfo");  // proc(5)
  for (std::string line; std::getline(mounts, line);)
    if (auto found = read_mount(line, device)) return found;
  return std::nullopt;
}

bool is_closed(const KernelMount& mount) {
  if (!mount.options.contains("nosuid") || !mount.options.contains("nodev")) return false;
  for (const auto& option : mount.options) {
    const auto equals = option.find('=');
    if (equals == option.npos || !is_mask(option.substr(0, equals))) continue;
    // Octal, of varied width: "0077", "77", and 37777600077 of an early ntfs3.
    if ((std::stoull(option.substr(equals + 1), nullptr, 8) & 077) != 077) return false;
  }
  return true;
}

}  // namespace satchel
