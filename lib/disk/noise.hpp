// Bytes to fill a place of a device with that no other place has. Inside lib/disk only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>

namespace satchel::disk {

/// The seed of one probe.
inline std::uint64_t noise_seed() {
  std::random_device dice;
  return (std::uint64_t{dice()} << 32) | dice();
}

/// Noise of this seed and offset: splitmix64 (Steele, Lea and Flood, 2014). Whole words of 8 bytes.
inline void fill_with_noise(std::span<std::byte> bytes, std::uint64_t seed, std::uint64_t at) {
  std::uint64_t state = seed ^ (at * 0x9E3779B97F4A7C15U);
  for (std::size_t i = 0; i < bytes.size(); i += sizeof state) {
    std::uint64_t word = state += 0x9E3779B97F4A7C15U;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9U;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBU;
    word ^= word >> 31;
    std::memcpy(&bytes[i], &word, sizeof word);
  }
}

}  // namespace satchel::disk
