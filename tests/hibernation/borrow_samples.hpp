// Machines whose memory has pages that their disks have as well.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hibernation/page_codec.hpp"
#include "page_samples.hpp"

namespace satchel::test {

using namespace hibernation;

/// The disks of a machine: for each page what its content follows from.
using Disks = std::vector<Memory>;
inline const std::vector<std::string> targets{"vda", "vdb"};

inline DiskReader reader_of(const Disks& disks, std::size_t* asked = nullptr) {
  return
      [&disks, asked](const std::string& target, std::uint64_t offset, std::span<std::byte> out) {
        const auto disk = std::ranges::find(targets, target) - targets.begin();
        for (std::size_t at = 0; at < out.size(); at += 4096) {
          const auto page = page_of(disks[static_cast<std::size_t>(disk)].at((offset + at) / 4096));
          std::ranges::copy(std::as_bytes(std::span(page)), out.subspan(at).begin());
        }
        if (asked != nullptr) ++*asked;
      };
}

struct Write {
  std::uint32_t disk;
  std::uint64_t page;
};

/// What an eject learns of the disks when these pages were written, in rising order, since the
/// generation before.
inline DiskPages learn(const ContentKey& key, const Disks& disks,
                       const std::vector<Write>& writes) {
  DiskPages out(targets);
  for (const auto& [disk, page] : writes) {
    out.note_written(disk, page, 1);
    const auto content = page_of(disks[disk][page]);
    out.add(content_name(key, std::as_bytes(std::span(content))), {disk, page});
  }
  return out;
}

inline std::vector<Write> range(std::uint32_t disk, std::uint64_t first, std::uint64_t count) {
  std::vector<Write> out;
  for (std::uint64_t i = 0; i < count; ++i) out.push_back({disk, first + i});
  return out;
}

/// Two generations: in the second, 300 new pages are in a file that was written to a disk.
struct Written {
  PageStore store;
  Memory memory = first_memory(3000);
  Disks disks{Memory(1000), Memory(1000)};
  ContentKey key;

  Written() {
    for (std::size_t i = 0; i < 1000; ++i) disks[0][i] = disks[1][i] = 5'000'000 + i;
    store.encode(1, stream_of(memory), 0);
    key = read_page_map(store.maps[1])->key;
    for (std::size_t i = 0; i < 300; ++i) {
      disks[1][400 + i] = 7'000'000 + i;
      memory[1000 + i] = 7'000'000 + i;
    }
    for (std::size_t i = 0; i < 20; ++i) memory[2000 + i] = 8'000'000 + i;
    std::swap(memory[1000], memory[1001]);
    store.disks = learn(key, disks, range(1, 400, 300));
    store.encode(2, stream_of(memory), 1);
  }
  Lenders lenders() const { return {reader_of(disks), {}}; }
};

}  // namespace satchel::test
