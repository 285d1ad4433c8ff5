// Streams to try the page codec with: real ones of QEMU's, and ones made up.
#pragma once

#include <cstdint>
#include <string>

namespace satchel::test {

inline constexpr auto plain_machine = "-machine q35 -vga std";

/// The migration stream of a guest of 32 MiB just before its first instruction, by the real QEMU
/// with these arguments; made once.
const std::string& real_stream(const std::string& machine = plain_machine);

/// Puts a stream together as QEMU 7.2 does.
class MadeStream {
 public:
  MadeStream();
  /// The section that names the blocks of memory.
  MadeStream& setup(std::uint64_t memory);
  MadeStream& begin_part();
  MadeStream& first_page(std::uint64_t address, const std::string& block, const std::string& page);
  MadeStream& page(std::uint64_t address, const std::string& page);
  MadeStream& fill(std::uint64_t address);
  MadeStream& end_part();
  /// Bytes that nothing knows.
  MadeStream& add(const std::string& bytes);
  const std::string& str() const { return out_; }

 private:
  void number(std::uint64_t value, unsigned size);
  std::string out_;
};

/// 4096 bytes that follow from `seed` and that nothing makes smaller.
std::string random_page(std::uint64_t seed);

}  // namespace satchel::test
