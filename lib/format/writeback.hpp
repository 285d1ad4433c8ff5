// Keeps little of a file under way in the page cache, so that progress tells of the device and the
// fsync at the end is short. Inside lib/format only. One thread at a time.
#pragma once

#include <cstdint>
#include <string>

namespace satchel::format {

class Writeback {
 public:
  static constexpr std::uint64_t window = 8U << 20;

  /// The file's bytes before `offset` are in the page cache; starts writing whole windows of them
  /// and waits for all but the last. Throws Fault.
  void reached(int fd, std::uint64_t offset, const std::string& shown);

 private:
  std::uint64_t started_ = 0;
};

}  // namespace satchel::format
