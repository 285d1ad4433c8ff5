// Machines of several generations, for the tests of the page codec: their streams, and the objects
// that the codec makes of them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "hibernation/cell_tags.hpp"
#include "hibernation/page_codec.hpp"

namespace satchel::test {

/// A guest's memory: for each page what its content follows from. 0 is a page of zeros; the upper
/// half of the number changes a few bytes of what the lower half makes.
using Memory = std::vector<std::uint64_t>;

/// Memory whose pages are all different, but for some of zeros.
Memory first_memory(std::size_t pages);
/// Added to what a page follows from, it changes the page a little.
inline constexpr std::uint64_t little = std::uint64_t{1} << 32;
/// What a guest may do between two generations: some of its pages become new ones, some come back
/// from a memory of its past, and some change a little.
void change_some(Memory& memory, const std::vector<Memory>& past, std::mt19937& random);
/// What such a number stands for.
std::string page_of(std::uint64_t what);
/// The stream that QEMU makes of it, with the state of devices at its end.
std::string stream_of(const Memory& memory);

/// The objects of several generations, as on a device.
struct PageStore {
  std::map<std::uint64_t, std::string> segments;  ///< pages objects by number
  std::map<std::uint64_t, std::string> maps;
  std::map<std::uint64_t, hibernation::EncodedPages> made;
  std::string stand_in;                           ///< of the last generation
  std::map<std::uint64_t, std::string> borrowed;  ///< pages that were borrowed, by number

  hibernation::SegmentOpener opener() const;
  /// Encodes with the map of generation `base` to refer to; 0: none.
  /// `content`: of the segments before, for differences.
  enum class Content { at_hand, away };
  /// `disks`: what to borrow of; an encoding uses it up.
  std::optional<hibernation::DiskPages> disks;
  /// What tells pages that did not change, and whether it gets the tags of what is encoded.
  std::shared_ptr<hibernation::CellTags> tags;
  hibernation::PageEncoderSettings::OwnTags own_tags{};
  void encode(std::uint64_t number, const std::string& stream, std::uint64_t base,
              unsigned threads = 2, Content content = Content::at_hand);
  /// The same with this base.
  void encode(std::uint64_t number, const std::string& stream, hibernation::PageBase from,
              unsigned threads = 2);
  hibernation::PageMap map(std::uint64_t number) const;
  /// The stream of the last generation from its own segment and the stand-in alone.
  std::string decode_stand_in(std::uint64_t number) const;
  std::string decode(std::uint64_t number, unsigned threads = 2,
                     hibernation::Lenders lenders = {}) const;
  /// The tags that a launch from the generation makes.
  std::shared_ptr<hibernation::CellTags> tags_of(std::uint64_t number,
                                                 hibernation::Lenders lenders = {}) const;
};

std::shared_ptr<hibernation::CellTags> new_tags();

/// Gives `text` in pieces of `piece` bytes.
hibernation::Source source_of(const std::string& text, std::size_t piece);
hibernation::Sink appending_to(std::string& text);
UniqueFd file_with(const std::string& content);

/// What docs/DEVICE-FORMAT.md puts a stream together with.
std::string documented_script();

}  // namespace satchel::test
