#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/fault.hpp"
#include "sync/content.hpp"
#include "sync/host_write.hpp"

namespace satchel::sync {
namespace {

constexpr std::size_t hole_size = 4096;

bool is_not_known(int error) { return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP; }

}  // namespace

int rename_without_replacing(int from, const std::string& name, int to, const std::string& target) {
  if (::renameat2(from, name.c_str(), to, target.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (!is_not_known(errno)) return errno;
  // A second name fails where there is one already, which is the next best.
  if (::linkat(from, name.c_str(), to, target.c_str(), 0) == 0)
    return ::unlinkat(from, name.c_str(), 0) == 0 ? 0 : errno;
  if (errno == EEXIST) return EEXIST;
  if (look(to, target)) return EEXIST;
  return ::renameat(from, name.c_str(), to, target.c_str()) == 0 ? 0 : errno;
}

Draft::Draft(Draft&& other) noexcept
    : tree_(other.tree_),
      to_(std::move(other.to_)),
      name_(std::exchange(other.name_, {})),
      fd_(std::move(other.fd_)),
      length_(other.length_),
      stored_(other.stored_),
      inode_(other.inode_) {}

OrObstacle<Draft> Draft::file(HostTree& tree, const std::string& to) {
  const auto directory = tree.directory(parent_of(to));
  if (!directory) return tl::unexpected(obstacle_from(directory.error(), "open the folder of", to));
  std::string name = temporary_name();
  UniqueFd fd(::openat(*directory, name.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return tl::unexpected(obstacle_from(errno, "write into the folder of", to));
  return Draft(tree, to, std::move(name), std::move(fd));
}

OrObstacle<Draft> Draft::link(HostTree& tree, const std::string& to, const std::string& target) {
  const auto directory = tree.directory(parent_of(to));
  if (!directory) return tl::unexpected(obstacle_from(directory.error(), "open the folder of", to));
  std::string name = temporary_name();
  if (::symlinkat(target.c_str(), *directory, name.c_str()) != 0)
    return tl::unexpected(obstacle_from(errno, "make the link", to));
  return Draft(tree, to, std::move(name), UniqueFd());
}

Draft::~Draft() {
  if (name_.empty()) return;
  if (const auto directory = tree_->directory(parent_of(to_)))
    ::unlinkat(*directory, name_.c_str(), 0);
}

void Draft::write(std::span<const std::byte> bytes, Zeros zeros) {
  if (zeros == Zeros::stored) {
    write_at(length_, bytes);
    length_ += bytes.size();
    return;
  }
  while (!bytes.empty()) {
    // Up to the next block's begin; then whole blocks: a run of zero ones, or of others.
    std::size_t size = std::min<std::size_t>(bytes.size(), hole_size - length_ % hole_size);
    const bool is_hole = size == hole_size && all_zero(bytes.first(size));
    while (bytes.size() - size >= hole_size &&
           all_zero(bytes.subspan(size, hole_size)) == is_hole && length_ % hole_size == 0)
      size += hole_size;
    if (!is_hole) write_at(length_, bytes.first(size));
    length_ += size;
    bytes = bytes.subspan(size);
  }
}

void Draft::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw fault_from_errno(errno, "write", tree_->shown_path(to_));
    stored_ += static_cast<std::uint64_t>(n);
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

std::optional<Obstacle> Draft::finish(std::uint32_t mode, UnixNanos mtime) {
  const timespec times[] = {{0, UTIME_OMIT}, time_of(mtime)};
  if (::ftruncate(fd_.get(), static_cast<off_t>(length_)) != 0)
    return obstacle_from(errno, "write", to_);
  // FAT and its like have no modes, and times of their own range: what they can't have is left.
  if (::fchmod(fd_.get(), mode) != 0 && errno != EPERM && !is_not_known(errno))
    return obstacle_from(errno, "set the mode of", to_);
  if (::futimens(fd_.get(), times) != 0 && errno != EPERM && !is_not_known(errno))
    return obstacle_from(errno, "set the time of", to_);
  const auto found = look(fd_.get());
  if (!found) return obstacle_from(found.error(), "look at", to_);
  inode_ = found->stamp.inode;
  fd_.reset();
  return std::nullopt;
}

std::optional<Obstacle> Draft::finish_link(UnixNanos mtime) {
  const auto directory = tree_->directory(parent_of(to_));
  if (!directory) return obstacle_from(directory.error(), "open the folder of", to_);
  const timespec times[] = {{0, UTIME_OMIT}, time_of(mtime)};
  // A link's time is of little use, and not every filesystem keeps it.
  (void)::utimensat(*directory, name_.c_str(), times, AT_SYMLINK_NOFOLLOW);
  const auto found = look(*directory, name_);
  if (!found) return obstacle_from(found.error(), "look at", to_);
  inode_ = found->stamp.inode;
  return std::nullopt;
}

OrObstacle<Found> Draft::install(const std::optional<HostEntry>& over) {
  const auto directory = tree_->directory(parent_of(to_));
  if (!directory)
    return tl::unexpected(obstacle_from(directory.error(), "open the folder of", to_));
  const std::string target(name_of(to_));
  return over ? replace(*directory, target, *over) : add(*directory, target);
}

OrObstacle<Found> Draft::replace(int directory, const std::string& target, const HostEntry& over) {
  const tl::unexpected<Obstacle> changed(Obstacle{Obstacle::Kind::changed, "it was just changed"});
  const auto now = look(directory, target);
  if (!now || now->stamp != over.stamp) return changed;
  if (::renameat2(directory, name_.c_str(), directory, target.c_str(), RENAME_EXCHANGE) == 0) {
    // What was displaced may have been changed, or exchanged itself, in that very moment.
    const auto displaced = look(directory, name_);
    if (!displaced || !is_same_thing(*displaced, over)) {
      if (::renameat2(directory, name_.c_str(), directory, target.c_str(), RENAME_EXCHANGE) != 0 &&
          ::renameat(directory, name_.c_str(), directory, target.c_str()) == 0)
        name_.clear();
      return changed;
    }
    if (::unlinkat(directory, name_.c_str(), 0) != 0)
      return tl::unexpected(obstacle_from(errno, "remove what it replaces,", to_));
  } else if (errno == ENOENT) {
    return changed;
  } else if (!is_not_known(errno) ||
             ::renameat(directory, name_.c_str(), directory, target.c_str()) != 0) {
    return tl::unexpected(obstacle_from(errno, "replace", to_));
  }
  return installed(directory, target);
}

OrObstacle<Found> Draft::add(int directory, const std::string& target) {
  const int error = rename_without_replacing(directory, name_, directory, target);
  if (error == EEXIST)
    return tl::unexpected(Obstacle{Obstacle::Kind::taken, "something else is there by now"});
  if (error != 0) return tl::unexpected(obstacle_from(error, "make", to_));
  return installed(directory, target);
}

OrObstacle<Found> Draft::installed(int directory, const std::string& target) {
  name_.clear();
  auto now = look(directory, target);
  if (!now) return tl::unexpected(Obstacle{Obstacle::Kind::changed, "it is gone again"});
  // Somebody's newer one: its stamp must not be taken for that of ours.
  if (now->stamp.inode != inode_) now->stamp = Stamp{};
  return *now;
}

}  // namespace satchel::sync
