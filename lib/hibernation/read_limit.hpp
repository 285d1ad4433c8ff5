// How many blocks a recipe may make its reader load for what it makes of the stream. An encoder
// keeps well below it: rather than refer to a cell that is far from everything else it stores the
// page anew. A reader refuses a map that exceeds it. Values only.
#pragma once

#include <cstdint>

namespace satchel::hibernation {

class ReadLimit {
 public:
  void made(std::uint64_t stream_bytes) { made_ += stream_bytes; }
  void load() { ++loaded_; }

  /// Whether an encoder may refer to a block that has to be loaded for it: three times what was
  /// made, and 32 blocks.
  bool allows() const { return loaded_ < 32 + 3 * (made_ >> 20); }
  /// Eight times, and 256 blocks.
  bool is_exceeded() const { return loaded_ > 256 + 8 * (made_ >> 20); }

 private:
  std::uint64_t made_ = 0;
  std::uint64_t loaded_ = 0;
};

}  // namespace satchel::hibernation
