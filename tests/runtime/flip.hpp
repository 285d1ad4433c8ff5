// A file of a device that decays.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

namespace satchel::test {

/// Another bit in one byte, and the file's size and name as they were.
inline void flip(const std::filesystem::path& file, std::streamoff at = 4321) {
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekg(at);
  const auto now = bytes.get();
  bytes.seekp(at);
  bytes.put(static_cast<char>(now ^ 16));
  REQUIRE(bytes.flush());
}

}  // namespace satchel::test
