// The room on this computer's disk while machines run here: their overlays grow there, and a full
// disk pauses them. Looks as often as they could use the room up, and tells once when it falls
// below what is to be kept free. Owned by Host; loop thread only.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
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
  HostRoom(Parts& parts, Hooks hooks)
      : parts_(parts), hooks_(std::move(hooks)), pause_(parts.loop) {}

  /// Looks from here on, while it is needed.
  void start();
  /// Looks at once.
  void look();

  /// What is short, one sentence; empty while there is enough.
  const std::string& shortage() const { return shortage_; }
  static const char* next_step();

  static constexpr std::uint64_t fastest_growth = 100'000'000;  ///< bytes a second, of all overlays
  static constexpr std::chrono::seconds shortest{30};           ///< from one look to the next
  static constexpr std::chrono::seconds longest{900};

 private:
  Task<void> keep_looking();
  boost::asio::steady_timer::time_point next_look() const;
  Task<void> measure();

  Parts& parts_;
  Hooks hooks_;
  boost::asio::steady_timer pause_;
  bool asked_ = false;  ///< to look at once
  ByteCount free_;      ///< as it was last seen
  std::string shortage_;
};

/// Bytes that this service may still write below the directory. Blocking; throws Fault.
ByteCount free_space(const std::filesystem::path& directory);
/// Bytes of the disk that these files take together. Blocking; throws Fault.
ByteCount allocated(const std::vector<std::string>& files);

}  // namespace satchel
