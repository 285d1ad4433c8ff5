// What the guest keeps in memory and on disk to compare: a ring of blocks that memory mirrors, an
// area for hard writing, and memory that must never change. Blocks are written and read past the
// page cache.
#pragma once

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "line.hpp"

constexpr std::uint64_t kMagic = 0x54'48'43'54'41'53'30'31;
constexpr std::size_t kBlock = 4096;
constexpr std::size_t kSlots = 2048;  // the ring: the last 2048 ticks, 8 MiB on disk and in memory
constexpr std::size_t kChunk = 1 << 20;
constexpr std::size_t kChecksPerTick = 16;
constexpr std::uint64_t kFullCheckEvery = 32;

struct Block {
  std::uint64_t magic, count, seed, sum;
  std::uint64_t words[kBlock / 8 - 4];
};
static_assert(sizeof(Block) == kBlock);

inline std::uint64_t next_random(std::uint64_t& state) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1DULL;
}

inline std::uint64_t hash(const void* data, std::size_t bytes, std::uint64_t salt) {
  const auto* words = static_cast<const std::uint64_t*>(data);
  std::uint64_t h = salt * 0x9E3779B97F4A7C15ULL + bytes;
  for (std::size_t i = 0; i < bytes / 8; ++i) {
    h = (h ^ words[i]) * 0x100000001B3ULL;
    h ^= h >> 29;
  }
  return h;
}

inline std::uint64_t fresh_seed() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  std::uint64_t seed = static_cast<std::uint64_t>(now.tv_nsec) * 0x9E3779B97F4A7C15ULL;
  seed ^= static_cast<std::uint64_t>(now.tv_sec) << 32;
  return next_random(seed) | 1;
}

template <typename T>
T* pages(std::size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (at == MAP_FAILED) {
    say("BROKEN 0 no memory");
    for (;;) pause();
  }
  return static_cast<T*>(at);
}

/// One disk: a ring of blocks that memory mirrors, and behind it the area for hard writing.
class Ring {
 public:
  explicit Ring(const char* node)
      : memory_(pages<Block>(kSlots * kBlock)),
        buffer_(pages<Block>(kChunk)),
        seen_(kSlots, 0),
        fd_(open(node, O_RDWR | O_DIRECT | O_CLOEXEC)) {
    std::uint64_t bytes = 0;
    if (fd_ < 0 || ioctl(fd_, BLKGETSIZE64, &bytes) != 0) {
      broke(std::string("no disk ") + node);
      return;
    }
    const std::uint64_t ring = kSlots * kBlock;
    chunks_.resize(bytes > ring ? (bytes - ring) / kChunk : 0, 0);
  }

  /// Takes over what an earlier boot left on the disk; returns the last count, 0 for a new disk.
  std::uint64_t load() {
    std::uint64_t last = 0;
    for (std::size_t slot = 0; slot < kSlots; slot += kChunk / kBlock) {
      read_at(slot * kBlock, kChunk);
      std::memcpy(memory_ + slot, buffer_, kChunk);
    }
    for (std::size_t slot = 0; slot < kSlots; ++slot) {
      if (memory_[slot].magic == kMagic) last = std::max(last, memory_[slot].count);
      seen_[slot] = hash(memory_ + slot, kBlock, slot);
    }
    for (std::uint64_t n = last; n > 0 && n + kSlots > last; --n) {
      const Block& block = memory_[n % kSlots];
      if (block.magic != kMagic || block.count != n || block.sum != sum_of(block))
        broke("on disk, the block of count " + std::to_string(n) + " is not as written");
    }
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      read_at(kSlots * kBlock + i * kChunk, kBlock);
      if (buffer_->magic == kMagic) chunks_[i] = buffer_->seed;
    }
    expected_ = memory_digest();
    return last;
  }

  void write_count(std::uint64_t count) {
    const std::size_t slot = count % kSlots;
    Block& block = memory_[slot];
    expected_ ^= hash(&block, kBlock, slot);
    std::uint64_t seed = fresh_seed();
    block.magic = kMagic;
    block.count = count;
    block.seed = seed;
    for (auto& word : block.words) word = next_random(seed);
    block.sum = sum_of(block);
    expected_ ^= hash(&block, kBlock, slot);
    if (pwrite(fd_, &block, kBlock, static_cast<off_t>(slot * kBlock)) != kBlock ||
        fdatasync(fd_) != 0)
      broke("disk write: " + std::string(std::strerror(errno)));
  }

  void read_back(std::uint64_t count) {
    std::uint64_t random = fresh_seed();
    look(count % kSlots);
    for (std::size_t i = 1; i < kChecksPerTick; ++i) look(next_random(random) % kSlots);
    if (count % kFullCheckEvery == 0) {
      for (std::size_t slot = 0; slot < kSlots; ++slot) look(slot);
    }
  }

  void write_hard(std::uint64_t mebibytes) {
    for (std::uint64_t i = 0; i < mebibytes && !chunks_.empty(); ++i) {
      chunk_ = (chunk_ + 1) % chunks_.size();
      chunks_[chunk_] = fresh_seed();
      fill(chunks_[chunk_]);
      const auto at = static_cast<off_t>(kSlots * kBlock + chunk_ * kChunk);
      if (pwrite(fd_, buffer_, kChunk, at) != static_cast<ssize_t>(kChunk))
        broke("hard write: " + std::string(std::strerror(errno)));
    }
    std::uint64_t random = fresh_seed();
    for (int i = 0; i < 2 && !chunks_.empty(); ++i)
      check_chunk(next_random(random) % chunks_.size());
  }

  /// Over all of the mirror in memory, computed anew.
  std::uint64_t memory_digest() const {
    std::uint64_t digest = 0;
    for (std::size_t slot = 0; slot < kSlots; ++slot) digest ^= hash(memory_ + slot, kBlock, slot);
    return digest;
  }

  /// Over all of the ring, from what was last read back of each block.
  std::uint64_t disk_digest() const {
    std::uint64_t digest = 0;
    for (const std::uint64_t each : seen_) digest ^= each;
    return digest;
  }

  /// What the memory's digest must be, by what was put into it.
  std::uint64_t expected_digest() const { return expected_; }

 private:
  static std::uint64_t sum_of(const Block& block) {
    return hash(block.words, sizeof block.words, block.count ^ block.seed);
  }

  void read_at(std::uint64_t offset, std::size_t bytes) {
    if (pread(fd_, buffer_, bytes, static_cast<off_t>(offset)) != static_cast<ssize_t>(bytes))
      broke("disk read: " + std::string(std::strerror(errno)));
  }

  void look(std::size_t slot) {
    read_at(slot * kBlock, kBlock);
    seen_[slot] = hash(buffer_, kBlock, slot);
  }

  void fill(std::uint64_t seed) {
    std::uint64_t state = seed;
    auto* words = reinterpret_cast<std::uint64_t*>(buffer_);
    for (std::size_t i = 0; i < kChunk / 8; ++i) words[i] = next_random(state);
    buffer_->magic = kMagic;
    buffer_->seed = seed;
  }

  void check_chunk(std::size_t index) {
    if (chunks_[index] == 0) return;
    read_at(kSlots * kBlock + index * kChunk, kChunk);
    const std::uint64_t found = hash(buffer_, kChunk, 0);
    fill(chunks_[index]);
    if (found != hash(buffer_, kChunk, 0))
      broke("on disk, chunk " + std::to_string(index) + " is not as written");
  }

  Block* memory_;
  Block* buffer_;
  std::vector<std::uint64_t> seen_;    // hash of each block as last read back
  std::vector<std::uint64_t> chunks_;  // seed of each chunk of the hard area, 0: never written
  std::size_t chunk_ = 0;
  std::uint64_t expected_ = 0;
  int fd_;
};

/// Random memory that nothing touches but the check of one part of it a tick.
class Filling {
 public:
  explicit Filling(std::size_t mebibytes) : size_(mebibytes), seeds_(mebibytes) {
    words_ = mebibytes ? pages<std::uint64_t>(mebibytes * kChunk) : nullptr;
    for (std::size_t part = 0; part < size_; ++part) {
      std::uint64_t state = seeds_[part] = fresh_seed();
      for (std::size_t i = 0; i < kChunk / 8; ++i)
        words_[part * (kChunk / 8) + i] = next_random(state);
    }
  }

  void check(std::uint64_t count) const {
    if (size_ == 0) return;
    const std::size_t part = count % size_;
    std::uint64_t state = seeds_[part];
    for (std::size_t i = 0; i < kChunk / 8; ++i) {
      if (words_[part * (kChunk / 8) + i] != next_random(state))
        return broke("memory: part " + std::to_string(part) + " changed");
    }
  }

 private:
  std::size_t size_;
  std::vector<std::uint64_t> seeds_;
  std::uint64_t* words_;
};
