// What a machine's disks show at the instant of its memory, as far as that differs from the
// generation before: where the encoder looks a page up before it stores it. Bounded: at most `most`
// pages are found, about 38 bytes each. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/content_name.hpp"
#include "hibernation/borrow_table.hpp"
#include "hibernation/page_index.hpp"

namespace satchel::hibernation {

class DiskPages {
 public:
  static constexpr std::size_t most = 512U << 10;  ///< 2 GiB

  /// `targets`: of all of the machine's disks that the next generation has.
  explicit DiskPages(std::vector<std::string> targets);

  const std::vector<std::string>& targets() const { return targets_; }
  /// These are no more what they were in the generation before. In rising order for each disk.
  void note_written(std::uint32_t disk, std::uint64_t first, std::uint64_t count);
  /// The content of one that was written. Beyond `most` it is not found.
  void add(const ContentName& name, DiskPage page);

  /// Where this content is.
  std::optional<DiskPage> find(const ContentName& name) const;
  /// Whether a page of that disk is what it was in the generation before.
  bool is_unwritten(const std::string& target, std::uint64_t page) const;

 private:
  struct Range {
    std::uint64_t first;
    std::uint64_t end;
  };

  std::vector<std::string> targets_;
  std::vector<std::vector<Range>> written_;  ///< by disk
  PageIndex index_;
  std::vector<DiskPage> places_;  ///< by the index's ids
};

}  // namespace satchel::hibernation
