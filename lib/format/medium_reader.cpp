#include "format/medium_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace satchel::format {

namespace {

/// Covers the logical block size of any medium.
constexpr std::size_t alignment = 64U << 10;

}  // namespace

OrErrno<std::unique_ptr<MediumReader>> MediumReader::open(int directory, const std::string& path) {
  auto plain = open_file(directory, path, O_RDONLY);
  if (!plain) return tl::unexpected(plain.error());
  struct stat about {};
  if (::fstat(plain->get(), &about) != 0) return tl::unexpected(errno);
  auto direct = open_file(directory, path, O_RDONLY | O_DIRECT);
  if (!direct && direct.error() != EINVAL && direct.error() != EOPNOTSUPP)
    return tl::unexpected(direct.error());
  std::unique_ptr<MediumReader> out(new MediumReader(std::move(*plain),
                                                     direct ? std::move(*direct) : UniqueFd(),
                                                     static_cast<std::uint64_t>(about.st_size)));
  for (auto& buffer : out->buffers_) {
    buffer.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, piece)));
    if (!buffer) return tl::unexpected(ENOMEM);
  }
  return out;
}

MediumReader::MediumReader(UniqueFd plain, UniqueFd direct, std::uint64_t size)
    : plain_(std::move(plain)), direct_(std::move(direct)), size_(size) {}

MediumReader::~MediumReader() {
  if (ahead_.valid()) ahead_.wait();
}

MediumReader::Filled MediumReader::fill(std::byte* out, std::uint64_t at) {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece, size_ - at));
  Filled filled;
  while (filled.bytes < wanted) {
    const auto from = static_cast<off_t>(at + filled.bytes);
    // Dropped before, so that it comes from the medium, and after, so that it does not push out
    // what is in use.
    if (!direct_) ::posix_fadvise(plain_.get(), from, piece, POSIX_FADV_DONTNEED);
    const ssize_t n = ::pread(direct_ ? direct_.get() : plain_.get(), out + filled.bytes,
                              piece - filled.bytes, from);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EINVAL && direct_) {
      direct_.reset();
      continue;
    }
    if (n < 0) {
      filled.error = errno;
      break;
    }
    if (n == 0) break;  // it has become shorter: the digest tells
    if (!direct_) ::posix_fadvise(plain_.get(), from, n, POSIX_FADV_DONTNEED);
    filled.bytes += static_cast<std::size_t>(n);
  }
  filled.bytes = std::min(filled.bytes, wanted);
  return filled;
}

void MediumReader::begin(std::uint64_t at) {
  auto* out = buffers_[filling_].get();
  ahead_ = std::async(std::launch::async, [this, out, at] { return fill(out, at); });
}

OrErrno<std::span<const std::byte>> MediumReader::next() {
  if (offset_ >= size_) return std::span<const std::byte>{};
  if (!ahead_.valid()) begin(offset_);
  const Filled filled = ahead_.get();
  if (filled.error != 0) {
    offset_ += filled.bytes;
    return tl::unexpected(filled.error);
  }
  const std::span<const std::byte> out(buffers_[filling_].get(), filled.bytes);
  if (out.empty()) size_ = offset_;
  offset_ += out.size();
  filling_ = 1 - filling_;
  if (offset_ < size_ && !out.empty()) begin(offset_);
  return out;
}

}  // namespace satchel::format
