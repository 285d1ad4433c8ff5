// What the page codec makes of several generations, as on a device, for the target that goes
// through all of it. One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "hibernation/page_codec.hpp"

namespace satchel::fuzz {

class Generations {
 public:
  /// What an encoder may use of the generation before.
  struct Use {
    std::uint64_t base = 0;   ///< its number; 0: nothing
    bool compares = false;    ///< pages may be stored as differences
    std::size_t at_once = 1;  ///< bytes of the stream that come at once
    /// Pages of the disk that were written since.
    std::uint8_t written_from = 0, written_count = 0;
  };
  void encode(std::uint64_t number, const std::string& stream, const Use& use);

  /// All that can be got back of the generation that was encoded last: the stream by its map, the
  /// same by its own segment and the stand-in alone, and what the next encoder would verify.
  void check(std::uint64_t number, const std::string& stream) const;

  const std::string& map(std::uint64_t number) const { return made_.at(number).encoded.map; }

 private:
  struct Made {
    std::string segment;
    std::string stand_in;
    std::string borrowed;
    hibernation::EncodedPages encoded;
  };

  hibernation::SegmentOpener opener() const;
  hibernation::DiskReader disk() const;
  hibernation::DiskPages written(std::uint64_t number, const Use& use);

  std::map<std::uint64_t, Made> made_;
  std::map<std::uint64_t, std::uint32_t> disk_;  ///< what page_of() makes its pages of
};

}  // namespace satchel::fuzz
