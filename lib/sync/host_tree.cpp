#include "sync/host_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sync/report.hpp"

namespace satchel::sync {
namespace {

// A path may be longer than the kernel takes at once (PATH_MAX is 4096).
constexpr std::size_t longest_piece = 4000;
constexpr std::size_t most_open = 16;

OrErrno<UniqueFd> open_beneath(int directory, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC | O_NOFOLLOW;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    // EAGAIN: something was renamed meanwhile and the kernel could not be sure.
    if (errno != EINTR && errno != EAGAIN) return tl::unexpected(errno);
  }
}

/// The front of a path that the kernel takes, which ends before a '/'.
std::string_view front_piece(std::string_view path) {
  if (path.size() <= longest_piece) return path;
  return path.substr(0, path.rfind('/', longest_piece));
}

std::string_view kind_word(unsigned mode) {
  if (S_ISSOCK(mode)) return "socket";
  if (S_ISFIFO(mode)) return "FIFO";
  if (S_ISBLK(mode)) return "block device";
  if (S_ISCHR(mode)) return "character device";
  return "something unknown";
}

UnixNanos nanos(const struct statx_timestamp& time) {
  return UnixNanos(time.tv_sec * 1'000'000'000 + time.tv_nsec);
}

OrErrno<Found> look(int directory, const char* name, int flags) {
  struct statx about {};
  if (::statx(directory, name, flags | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS,
              &about) != 0)
    return tl::unexpected(errno);
  Found out;
  const unsigned mode = about.stx_mode;
  out.kind = S_ISREG(mode)   ? Kind::file
             : S_ISDIR(mode) ? Kind::directory
             : S_ISLNK(mode) ? Kind::link
                             : Kind::other;
  if (out.kind == Kind::other) out.what = kind_word(mode);
  if (out.kind == Kind::directory)
    out.stamp = {{}, {}, {}, 0, mode & 07777U};
  else
    out.stamp = {ByteCount(about.stx_size), nanos(about.stx_mtime), nanos(about.stx_ctime),
                 about.stx_ino, mode & 07777U};
  out.device = ::makedev(about.stx_dev_major, about.stx_dev_minor);
  out.owner = about.stx_uid;
  if ((about.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) out.mount = Found::Mount::yes;
  return out;
}

}  // namespace

OrErrno<Found> look(int directory, const std::string& name) {
  return look(directory, name.c_str(), 0);
}

OrErrno<Found> look(int fd) { return look(fd, "", AT_EMPTY_PATH); }

std::vector<std::string> names_in(int directory) {
  std::vector<std::string> out;
  const int own = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return out;
  const Handle<DIR, ::closedir> stream(::fdopendir(own));
  if (!stream) {
    ::close(own);
    return out;
  }
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") out.emplace_back(name);
  }
  return out;
}

timespec time_of(UnixNanos when) {
  constexpr std::int64_t second = 1'000'000'000;
  const std::int64_t nanos = (when.value % second + second) % second;
  return {(when.value - nanos) / second, nanos};
}

std::string HostTree::shown_path(std::string_view path) const {
  return path.empty() ? shown_ : shown_ + "/" + shown(path);
}

OrErrno<int> HostTree::keep(std::string path, OrErrno<UniqueFd> fd) {
  if (!fd) return tl::unexpected(fd.error());
  if (open_.size() >= most_open) open_.pop_back();
  open_.emplace_front(std::move(path), std::move(*fd));
  return open_.front().second.get();
}

OrErrno<int> HostTree::directory(std::string_view path) {
  if (path.empty()) return target_;
  // From the nearest directory above it that is open.
  auto nearest = open_.end();
  for (auto each = open_.begin(); each != open_.end(); ++each) {
    if (each->first == path) {
      open_.splice(open_.begin(), open_, each);
      return each->second.get();
    }
    if (is_below(path, each->first) &&
        (nearest == open_.end() || each->first.size() > nearest->first.size()))
      nearest = each;
  }
  int from = target_;
  std::string_view rest = path;
  if (nearest != open_.end()) {
    open_.splice(open_.begin(), open_, nearest);
    from = nearest->second.get();
    rest.remove_prefix(nearest->first.size() + 1);
  }
  for (;;) {
    const std::string_view piece = front_piece(rest);
    const std::size_t done = path.size() - rest.size() + piece.size();
    const auto opened = keep(std::string(path.substr(0, done)),
                             open_beneath(from, std::string(piece), O_RDONLY | O_DIRECTORY));
    if (!opened || piece.size() == rest.size()) return opened;
    from = *opened;
    rest.remove_prefix(piece.size() + 1);
  }
}

void HostTree::forget(std::string_view path) {
  std::erase_if(open_,
                [&](const auto& each) { return each.first == path || is_below(each.first, path); });
}

OrErrno<int> HostTree::make_directories(const std::string& path) {
  if (auto there = directory(path); there || there.error() != ENOENT) return there;
  // As deep as there are any, then down again.
  std::size_t from = path.size();
  while (from > 0) {
    from = parent_of(std::string_view(path).substr(0, from)).size();
    const auto there = directory(std::string_view(path).substr(0, from));
    if (there) break;
    if (there.error() != ENOENT) return there;
  }
  while (from < path.size()) {
    const std::string_view above = std::string_view(path).substr(0, from);
    const std::size_t begin = from == 0 ? 0 : from + 1;
    from = std::min(path.find('/', begin), path.size());
    const auto parent = directory(above);
    if (!parent) return parent;
    if (::mkdirat(*parent, path.substr(begin, from - begin).c_str(), 0700) != 0 && errno != EEXIST)
      return tl::unexpected(errno);
  }
  return directory(path);
}

OrErrno<Found> HostTree::find(std::string_view path) {
  const auto above = directory(parent_of(path));
  if (!above) return tl::unexpected(above.error());
  return look(*above, std::string(name_of(path)));
}

OrErrno<UniqueFd> HostTree::open_file(std::string_view path) {
  const auto above = directory(parent_of(path));
  if (!above) return tl::unexpected(above.error());
  // Without O_NONBLOCK a FIFO in the place of a file would hold us up for ever.
  auto fd = open_beneath(*above, std::string(name_of(path)), O_RDONLY | O_NONBLOCK);
  if (!fd) return fd;
  const auto found = look(fd->get());
  if (!found) return tl::unexpected(found.error());
  if (found->kind != Kind::file) return tl::unexpected(EINVAL);
  return fd;
}

}  // namespace satchel::sync
