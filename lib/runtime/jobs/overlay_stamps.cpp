#include "runtime/jobs/overlay_stamps.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/fault.hpp"
#include "base/host_fault.hpp"

namespace satchel {

OverlayStamps::OverlayStamps(const Session& session) {
  for (const auto& disk : session.disks)
    for (auto& overlay : disk.overlays()) files_.push_back(std::move(overlay));
  before_ = look();
}

std::vector<OverlayStamps::Stamp> OverlayStamps::look() const {
  std::vector<Stamp> out;
  for (const auto& file : files_) {
    struct stat about {};
    if (::stat(file.c_str(), &about) != 0)
      throw host_fault_from_errno(errno, "examine the overlay", file);
    out.push_back({about.st_mtim, about.st_size});
  }
  return out;
}

bool OverlayStamps::are_unwritten() const {
  return std::ranges::equal(before_, look(), [](const Stamp& a, const Stamp& b) {
    return a.written.tv_sec == b.written.tv_sec && a.written.tv_nsec == b.written.tv_nsec &&
           a.size == b.size;
  });
}

}  // namespace satchel
