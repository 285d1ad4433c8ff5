// Whether anybody wrote to a session's overlays between two looks. Files lane.
#pragma once

#include <sys/types.h>

#include <ctime>
#include <string>
#include <vector>

#include "session/session.hpp"

namespace satchel {

class OverlayStamps {
 public:
  /// Throws Fault when one is not there.
  explicit OverlayStamps(const Session& session);
  /// All are as they were. Throws the same.
  bool are_unwritten() const;

 private:
  /// What changes with each write to a file.
  struct Stamp {
    timespec written;
    off_t size;
  };
  std::vector<Stamp> look() const;

  std::vector<std::string> files_;
  std::vector<Stamp> before_;
};

}  // namespace satchel
