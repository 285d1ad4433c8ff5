// Copies of a capsule's segments on this computer: of what was read of the device or written to it.
// Each is a sparse file of the segment's size with those blocks that were seen at their places.
// None of it is believed: whoever reads a frame here checks it as one from the device, and reads
// the device where it is not right. Blocking; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/handle.hpp"
#include "hibernation/page_map.hpp"

namespace satchel::hibernation {

/// One segment's copy, opened; or none, which has nothing and takes nothing.
class LocalCopy {
 public:
  enum class Grows { no, yes };

  LocalCopy() = default;
  LocalCopy(UniqueFd fd, Grows grows) : fd_(std::move(fd)), grows_(grows == Grows::yes) {}
  LocalCopy(LocalCopy&& other) noexcept : fd_(std::move(other.fd_)), grows_(other.grows_.load()) {}

  /// Whether something that looks like a frame begins there.
  bool has(std::uint64_t offset) const;
  /// Fills `frame` with what stands there, when that looks like a frame: unverified.
  bool read(std::uint64_t offset, std::span<std::byte> frame) const;
  /// Fills `bytes` with whatever stands there.
  bool read_bytes(std::uint64_t offset, std::span<std::byte> bytes) const;
  /// Keeps bytes of the segment. The first failure ends it: a copy is never worth an error.
  void write(std::uint64_t offset, std::span<const std::byte> bytes) const noexcept;
  /// Whether all that was given to write() is in it.
  bool grows() const { return grows_; }

 private:
  UniqueFd fd_;
  mutable std::atomic<bool> grows_ = false;
};

class LocalSegments {
 public:
  /// The directory is made when the first copy is.
  explicit LocalSegments(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// The copy for reading; invalid when there is none.
  UniqueFd open(const Segment& segment) const;
  /// The copy, made when there is none. Throws Fault.
  UniqueFd open_or_make(const Segment& segment) const;
  /// Gives the file, which has no name yet and is the whole segment, its place here. Throws Fault.
  void adopt(int fd, const Segment& segment) const;
  /// The same three of the file that has the segment's borrowed cells, one behind the other.
  UniqueFd open_borrowed(const Segment& segment) const;
  UniqueFd open_or_make_borrowed(const Segment& segment) const;
  void adopt_borrowed(int fd, const Segment& segment) const;
  /// Removes all copies but those of these. Throws Fault.
  void keep_only(std::span<const Segment> segments) const;

  const std::filesystem::path& directory() const { return directory_; }
  /// Where the copy is, when there is one.
  std::filesystem::path path_of(const Segment& segment) const;
  std::filesystem::path path_of_borrowed(const Segment& segment) const;

 private:
  void make_directory() const;
  UniqueFd open_or_make(const std::filesystem::path& path, ByteCount size) const;
  void adopt(int fd, const std::filesystem::path& path) const;

  std::filesystem::path directory_;
};

}  // namespace satchel::hibernation
