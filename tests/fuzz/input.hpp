// A fuzzer's bytes, taken one thing after the other; zeros behind their end. One thread at a time.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/handle.hpp"
#include "fuzz/promise.hpp"

namespace satchel::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  std::string_view take(std::size_t size) {
    const auto out = rest_.substr(0, size);
    rest_.remove_prefix(out.size());
    return out;
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
  /// Of so many bytes, little-endian.
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    unsigned shift = 0;
    for (const char c : take(bytes)) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(c)) << shift;
      shift += 8;
    }
    return value;
  }

 private:
  std::string_view rest_;
};

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A file in memory, without a name.
inline UniqueFd file_of(std::string_view content) {
  UniqueFd file(::memfd_create("fuzz", MFD_CLOEXEC));
  must(bool(file) && ::pwrite(file.get(), content.data(), content.size(), 0) ==
                         static_cast<ssize_t>(content.size()),
       "this computer has memory for a small file");
  return file;
}

}  // namespace satchel::fuzz
