// The room on this computer's disk while machines run here: their overlays grow there, and a full
// disk pauses them. Looks now and then, and tells once when the room falls below what is to be kept
// free. Owned by Host; loop thread only.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "runtime/parts.hpp"

namespace satchel {

class HostRoom {
 public:
  struct Hooks {
    std::function<bool()> needed;  ///< whether any machine runs here
    std::function<void()> changed;
  };
  HostRoom(Parts& parts, Hooks hooks) : parts_(parts), hooks_(std::move(hooks)) {}

  /// Looks every so often from here on, while it is needed.
  void start();
  /// Looks at once.
  void look();

  /// What is short, one sentence; empty while there is enough.
  const std::string& shortage() const { return shortage_; }
  static const char* next_step();

  static constexpr std::chrono::seconds interval{30};

 private:
  Task<void> keep_looking();
  Task<void> measure();

  Parts& parts_;
  Hooks hooks_;
  std::string shortage_;
};

/// Bytes that this service may still write below the directory. Blocking; throws Fault.
ByteCount free_space(const std::filesystem::path& directory);
/// Bytes of the disk that these files take together. Blocking; throws Fault.
ByteCount allocated(const std::vector<std::string>& files);

}  // namespace satchel
