#include "hibernation/local_segments.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

#include "base/fault.hpp"
#include "base/host_fault.hpp"

namespace satchel::hibernation {

namespace {

/// Of a zstd frame (RFC 8878, 3.1.1), as it is stored.
constexpr std::array frame_magic{std::byte{0x28}, std::byte{0xb5}, std::byte{0x2f},
                                 std::byte{0xfd}};

bool read_whole(int fd, std::uint64_t offset, std::span<std::byte> buffer) {
  while (!buffer.empty()) {
    const auto n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    buffer = buffer.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return true;
}

/// Invalid when there is none.
UniqueFd open_copy(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  // When it was used last decides which copies go first.
  if (fd) ::futimens(fd.get(), nullptr);
  return fd;
}

}  // namespace

bool LocalCopy::has(std::uint64_t offset) const {
  std::array<std::byte, frame_magic.size()> beginning{};
  return fd_ && read_whole(fd_.get(), offset, beginning) && beginning == frame_magic;
}

bool LocalCopy::read(std::uint64_t offset, std::span<std::byte> frame) const {
  if (!fd_ || !read_whole(fd_.get(), offset, frame)) return false;
  return frame.size() > frame_magic.size() && std::ranges::equal(frame.first(4), frame_magic);
}

bool LocalCopy::read_bytes(std::uint64_t offset, std::span<std::byte> bytes) const {
  return fd_ && read_whole(fd_.get(), offset, bytes);
}

void LocalCopy::write(std::uint64_t offset, std::span<const std::byte> bytes) const noexcept {
  while (grows_ && !bytes.empty()) {
    const auto n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      grows_ = false;
      return;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

std::filesystem::path LocalSegments::path_of(const Segment& segment) const {
  return directory_ / (segment.blocks.hex() + ".pages");
}

std::filesystem::path LocalSegments::path_of_borrowed(const Segment& segment) const {
  return directory_ / (segment.names.hex() + "-" + segment.borrow.hex() + ".borrowed");
}

void LocalSegments::make_directory() const {
  std::error_code failed;
  std::filesystem::create_directories(directory_, failed);
  if (failed) throw host_fault_from_errno(failed.value(), "make", directory_.string());
  if (::chmod(directory_.c_str(), 0700) != 0)
    throw host_fault_from_errno(errno, "close", directory_.string());
}

UniqueFd LocalSegments::open(const Segment& segment) const { return open_copy(path_of(segment)); }

UniqueFd LocalSegments::open_borrowed(const Segment& segment) const {
  return open_copy(path_of_borrowed(segment));
}

UniqueFd LocalSegments::open_or_make(const Segment& segment) const {
  return open_or_make(path_of(segment), segment.size);
}

UniqueFd LocalSegments::open_or_make_borrowed(const Segment& segment) const {
  return open_or_make(path_of_borrowed(segment), ByteCount());
}

/// `size`: of a new one.
UniqueFd LocalSegments::open_or_make(const std::filesystem::path& path, ByteCount size) const {
  if (auto there = open_copy(path)) return there;
  make_directory();
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size.value)) != 0)
    throw host_fault_from_errno(errno, "make", path.string());
  return fd;
}

void LocalSegments::adopt(int fd, const Segment& segment) const { adopt(fd, path_of(segment)); }

void LocalSegments::adopt_borrowed(int fd, const Segment& segment) const {
  adopt(fd, path_of_borrowed(segment));
}

void LocalSegments::adopt(int fd, const std::filesystem::path& path) const {
  make_directory();
  const auto nameless = "/proc/self/fd/" + std::to_string(fd);
  if (::linkat(AT_FDCWD, nameless.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0 &&
      errno != EEXIST)
    throw host_fault_from_errno(errno, "keep", path.string());
}

void LocalSegments::keep_only(std::span<const Segment> segments) const {
  std::set<std::filesystem::path> kept;
  for (const auto& each : segments) kept.insert({path_of(each), path_of_borrowed(each)});
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, failed))
    if (!kept.contains(entry.path())) std::filesystem::remove(entry.path(), failed);
  if (failed && failed != std::errc::no_such_file_or_directory)
    throw host_fault_from_errno(failed.value(), "clear", directory_.string());
}

}  // namespace satchel::hibernation
