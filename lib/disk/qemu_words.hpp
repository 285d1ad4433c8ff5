// What QEMU's programs say when something fails, as a Remedy. Pure. Inner header of lib/disk.
#pragma once

#include <string_view>

#include "base/fault.hpp"

namespace satchel::disk {

/// The remedy that the words point to.
inline Remedy remedy_of(std::string_view words) {
  if (words.find("No space left") != words.npos || words.find("quota") != words.npos)
    return Remedy::free_space;
  // What QEMU says of its own is English, but for these: strerror in the C locale.
  for (const auto* of_a_disk :
       {"Input/output error", "No data available", "Remote I/O error", "Connection timed out",
        "Link has been severed", "Structure needs cleaning", "Bad message",
        "Invalid or incomplete multibyte"})
    if (words.find(of_a_disk) != words.npos) return Remedy::replug;
  if (words.find("Permission denied") != words.npos) return Remedy::ask_admin;
  if (words.find("Failed to get \"") != words.npos) return Remedy::retry;
  if (words.find("File too large") != words.npos) return Remedy::other_device;
  return Remedy::fix_request;
}

}  // namespace satchel::disk
