// A generation's memory on a device, whatever codec wrote it: opened and checked, to be decoded, or
// to be the base of the next. Files lane.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "format/capsule_directory.hpp"
#include "hibernation/page_codec.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"

namespace satchel {

/// The pages object of the generation of that number: "memory/7.pages".
std::string pages_object(std::uint64_t number);
/// Whether the head has memory that was stored by its pages' content.
bool has_pages(const format::Head& head);
/// Of a head that has: its map, and what opens the segments that it names. Both throw Fault. The
/// opener is good while its arguments are.
hibernation::PageMap memory_map(const format::CapsuleDirectory& capsule, const format::Head& head);
hibernation::SegmentOpener segment_opener(const format::CapsuleDirectory& capsule,
                                          const format::Head& head);
/// Whether the head's memory may have pages that its disks lend.
bool borrows(const format::Head& head);
/// What a head says of the earlier segments that encoded memory refers to.
std::vector<std::string> earlier_segments(const hibernation::EncodedPages& encoded);

class MemoryFile {
 public:
  /// Opens all objects of the head's hibernation file; there is one. Throws Fault when one is not
  /// there or is not what the head and its map say.
  /// `directory`: as fifo_directory() gives it. With a cache, what this computer has is read from
  /// there, and what is read of the device kept.
  MemoryFile(const format::CapsuleDirectory& capsule, const format::Head& head,
             const std::filesystem::path& directory, const MemoryCache* cache = nullptr);
  MemoryFile(MemoryFile&&) noexcept;
  MemoryFile& operator=(MemoryFile&&) noexcept;
  ~MemoryFile();

  /// Bytes of QEMU's stream: what decode() reports as its total.
  ByteCount stream_size() const;
  /// Gives the stream, every block checked before it is given. Once. `tags` gets those of its
  /// pages.
  hibernation::Decoded decode(const hibernation::Sink& out, unsigned threads,
                              const ProgressSink& progress, std::stop_token stop,
                              hibernation::CellTags* tags = nullptr) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// What the next generation's memory may refer to. Nothing, with a line in the log, when it is not
/// all there and right, or was found damaged by a verification; what was not read in this insertion
/// is read for that. Throws Fault when stopped and when the device is gone.
hibernation::PageBase memory_base(const Parts& parts, Stick& stick,
                                  const format::CapsuleDirectory& capsule, const format::Head& head,
                                  const ProgressSink& progress, std::stop_token stop);

/// The same of a head that has pages, and throws Fault for whatever is wrong with them. `most`: of
/// segments.
hibernation::PageBase checked_base(const Parts& parts, Stick& stick,
                                   const format::CapsuleDirectory& capsule,
                                   const format::Head& head, std::size_t most,
                                   const ProgressSink& progress, std::stop_token stop);

/// The device is checked little by little for what a launch took from this computer's cache
/// instead; for the jobs that will rely on it. What the disks lend is read until `stop`.
hibernation::PageBaseCheck memory_check(const format::CapsuleDirectory& capsule,
                                        const format::Head& head,
                                        const std::filesystem::path& directory,
                                        hibernation::PageBaseCheck::Of of, std::stop_token stop);

}  // namespace satchel
