// Reading foreign headers: bytes at an offset, and little-endian numbers of what was read, zero
// where it is too short. Inner header of lib/disk.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "base/result.hpp"

namespace satchel::disk {

/// At most `size` bytes; fewer at the file's end.
inline Result<std::string> read_bytes(int fd, std::uint64_t offset, std::size_t size) {
  std::string out(size, '\0');
  std::size_t total = 0;
  while (total < size) {
    const auto n =
        ::pread(fd, out.data() + total, size - total, static_cast<off_t>(offset + total));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return mistake("image", std::generic_category().message(errno));
    if (n == 0) break;
    total += static_cast<std::size_t>(n);
  }
  out.resize(total);
  return out;
}

class LittleEndian {
 public:
  explicit LittleEndian(std::string_view bytes) : bytes_(bytes) {}
  std::uint16_t u16(std::size_t at) const { return static_cast<std::uint16_t>(number(at, 2)); }
  std::uint32_t u32(std::size_t at) const { return static_cast<std::uint32_t>(number(at, 4)); }
  std::uint64_t u64(std::size_t at) const { return number(at, 8); }

 private:
  std::uint64_t number(std::size_t at, std::size_t length) const {
    if (at > bytes_.size() || length > bytes_.size() - at) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = length; i-- > 0;)
      value = value << 8 | static_cast<unsigned char>(bytes_[at + i]);
    return value;
  }
  std::string_view bytes_;
};

}  // namespace satchel::disk
