#include "runtime/disk_fill.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/host_fault.hpp"
#include "machine/description.hpp"

namespace satchel {

namespace {

constexpr std::size_t piece = 1U << 20;
constexpr auto read_here_at_once = mebibytes(64);

std::size_t read_at(int fd, std::span<std::byte> to, ByteCount at, const std::string& shown) {
  for (;;) {
    const auto n = ::pread(fd, to.data(), to.size(), static_cast<off_t>(at.value));
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw fault_from_errno(errno, "read", shown);
  }
}

void write_at(int fd, std::span<const std::byte> bytes, ByteCount at) {
  auto offset = static_cast<off_t>(at.value);
  const auto end = offset + static_cast<off_t>(bytes.size());
  const bool is_hole = std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{}; });
  while (!is_hole && !bytes.empty()) {
    const auto n = ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw host_fault_from_errno(errno, "keep", "a copy of a disk");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += n;
  }
  if (is_hole && ::ftruncate(fd, end) != 0)
    throw host_fault_from_errno(errno, "keep", "a copy of a disk");
}

}  // namespace

DiskFill::DiskFill(const DiskCache& cache, format::CapsuleDirectory capsule,
                   const GenerationId& generation)
    : cache_(cache), capsule_(std::move(capsule)), bytes_(capsule_.newest_head()) {
  auto head = format::read_head(bytes_);
  if (!head || head->head.generation.id != generation)
    throw Fault(Remedy::retry,
                {"copy the disks of", capsule_.id().value.str(), "the device has changed", {}});
  head_ = std::move(head->head);
  const auto files = DiskCache::files_of(head_);
  for (auto each = files.rbegin(); each != files.rend(); ++each)
    if (!cache_.has(head_.capsule, *each)) missing_.push_back(*each);
  // A pull or an eject may need to keep all of its memory here.
  const auto machine = machine::read_json(head_.machine_json);
  has_room_ =
      cache_.make_room(head_.capsule, files, machine ? machine::memory(*machine) : ByteCount());
  buffer_.resize(piece);
}

bool DiskFill::begin_next() {
  // Two files of the same content are one here.
  while (!missing_.empty() && cache_.has(head_.capsule, missing_.back())) missing_.pop_back();
  if (missing_.empty()) return false;
  File next;
  next.object = missing_.back();
  next.from = capsule_.open_checked(next.object, format::CapsuleDirectory::Access::read);
  next.part = cache_.begin(head_.capsule, next.object);
  struct stat about {};
  if (::fstat(next.part.get(), &about) != 0)
    throw host_fault_from_errno(errno, "look at", "a copy of a disk");
  next.kept = std::min(ByteCount(static_cast<std::uint64_t>(about.st_size)), next.object.size);
  file_.emplace(std::move(next));
  return true;
}

/// What an earlier attempt has left is read here, for the digest.
void DiskFill::read_on(File& file, ByteCount amount) {
  const bool here = file.done < file.kept;
  const auto end = here ? std::min(file.kept, file.done + read_here_at_once)
                        : std::min(file.object.size, file.done + amount);
  while (file.done < end) {
    const auto wanted = std::min<std::uint64_t>(buffer_.size(), end.value - file.done.value);
    const auto to = std::span(buffer_).first(static_cast<std::size_t>(wanted));
    const auto n = read_at(here ? file.part.get() : file.from.get(), to, file.done,
                           here ? "a copy of a disk" : file.object.path);
    if (n == 0)
      throw Fault(Remedy::retry, {"copy", file.object.path, "it became shorter meanwhile", {}});
    if (!here) write_at(file.part.get(), to.first(n), file.done);
    file.hasher.add(to.first(n));
    file.done = file.done + ByteCount(n);
  }
}

DiskFill::Left DiskFill::go_on(ByteCount amount) {
  if (!has_room_ || !cache_.has_room()) return Left::no_room;
  if (!file_ && !begin_next()) {
    cache_.complete(head_, bytes_);
    return Left::nothing;
  }
  read_on(*file_, amount);
  if (file_->done < file_->object.size) return Left::more;
  auto file = std::move(*file_);
  file_.reset();
  if (file.hasher.finish() != file.object.digest) {
    cache_.abandon(head_.capsule, file.object);
    return Left::not_as_stated;
  }
  cache_.finish(head_.capsule, file.object, file.part.get());
  return Left::more;
}

}  // namespace satchel
