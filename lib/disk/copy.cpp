#include "disk/copy.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace satchel::disk {

namespace {

constexpr std::size_t piece = 1U << 20;
constexpr auto object = "a layer";

off_t size_of(const SparseSource& from) {
  struct stat found {};
  if (::fstat(from.fd, &found) != 0) throw from.fault(errno, "read", object);
  return found.st_size;
}

/// The next data or hole at or after `from`; the file's end when there is none.
off_t seek(const SparseSource& from, off_t at, int whence, off_t size) {
  const off_t found = ::lseek(from.fd, at, whence);
  if (found >= 0) return std::min(found, size);
  if (errno == ENXIO) return size;
  throw from.fault(errno, "read", object);
}

}  // namespace

ByteCount copy_sparse(const SparseSource& from, const SparseSink& to, const ProgressSink& progress,
                      std::stop_token stop) {
  const off_t size = size_of(from);
  std::vector<std::byte> buffer(piece);
  const auto tell = [&](off_t at) {
    if (stop.stop_requested()) throw Fault(Remedy::retry, {"copy", object, "it was stopped", {}});
    if (progress)
      progress({"writing disks", ByteCount(static_cast<std::uint64_t>(at)),
                ByteCount(static_cast<std::uint64_t>(size))});
  };
  off_t at = 0;
  while (at < size) {
    const off_t data = seek(from, at, SEEK_DATA, size);
    if (data > at) to.skip(ByteCount(static_cast<std::uint64_t>(data - at)));
    at = data;
    tell(at);
    const off_t end = seek(from, at, SEEK_HOLE, size);
    while (at < end) {
      const auto wanted = std::min(piece, static_cast<std::size_t>(end - at));
      const ssize_t n = ::pread(from.fd, buffer.data(), wanted, at);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw from.fault(errno, "read", object);
      if (n == 0) throw Fault(Remedy::retry, {"copy", object, "it became shorter meanwhile", {}});
      to.write(std::span(buffer).first(static_cast<std::size_t>(n)));
      at += n;
      tell(at);
    }
  }
  return ByteCount(static_cast<std::uint64_t>(size));
}

}  // namespace satchel::disk
