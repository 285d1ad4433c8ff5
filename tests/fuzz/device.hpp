// A hostile device's memory: a map and its segments as a fuzzer's input makes them, with digests
// that are right all the same, and what an honest reader may make of them. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "hibernation/page_codec.hpp"

namespace satchel::fuzz {

struct HostileSegment {
  hibernation::Segment said;  ///< by the map
  std::string file;
  /// Each cell's content; none where what the device has is not what it says.
  std::vector<std::optional<std::string>> cells;
  bool is_sound = true;  ///< its tables are as an encoder makes them
};

struct HostileDevice {
  std::vector<HostileSegment> segments;
  hibernation::PageMap map;
  bool is_sound = true;

  hibernation::SegmentOpener opener() const;
  /// What its machine's disks show.
  static hibernation::DiskReader disks();

  struct Stream {
    std::string bytes;  ///< up to the first cell that can't be had
    bool is_whole;
  };
  /// What the recipe makes of the cells. Only for a map that was accepted, and whose stream is
  /// short.
  Stream stream() const;
};

HostileDevice device_from(Input& input);

}  // namespace satchel::fuzz
