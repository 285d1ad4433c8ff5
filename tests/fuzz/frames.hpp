// Frames as a hostile device may hold them, and what an honest reader may make of each. One thread
// at a time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "crypto/digest.hpp"
#include "fuzz/input.hpp"

namespace satchel::fuzz {

struct Frame {
  std::string bytes;
  Digest digest;  ///< that the device says they have
  /// What is in it; none for whatever is not exactly one frame of the right digest and size.
  std::optional<std::string> content;
};

/// A frame that ought to hold so many bytes. How it is made, and whether it does, is in the input.
Frame frame_from(Input& input, std::size_t size);

}  // namespace satchel::fuzz
