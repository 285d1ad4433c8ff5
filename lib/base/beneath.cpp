#include "base/beneath.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string_view>
#include <utility>

namespace satchel {

namespace {

using Opened = tl::expected<UniqueFd, int>;

Opened open_piece(int directory, const std::string& name, int flags) {
  for (;;) {
    const int fd = ::openat(directory, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) return UniqueFd(fd);
    if (errno != EINTR) return tl::unexpected(errno);
  }
}

/// A directory on the way. A link in its place answers ENOTDIR, which would say too little.
Opened open_step(int directory, const std::string& name) {
  auto opened = open_piece(directory, name, O_PATH | O_DIRECTORY);
  struct stat about {};
  if (!opened && opened.error() == ENOTDIR &&
      ::fstatat(directory, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISLNK(about.st_mode))
    return tl::unexpected(ELOOP);
  return opened;
}

/// The mount that a file is on; its device would not tell a directory bound to elsewhere.
tl::expected<std::uint64_t, int> mount_of(int fd) {
  struct statx about {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &about) != 0)
    return tl::unexpected(errno);
  return about.stx_mnt_id;
}

std::string take_piece(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
  const auto piece = rest.substr(0, rest.find('/'));
  rest.remove_prefix(piece.size());
  return std::string(piece);
}

}  // namespace

Opened open_beneath(int directory, const std::string& path, int flags) {
  if (path.empty()) return tl::unexpected(ENOENT);
  if (path.front() == '/') return tl::unexpected(EXDEV);
  const auto mount = mount_of(directory);
  if (!mount) return tl::unexpected(mount.error());
  std::string_view rest = path;
  UniqueFd reached;
  for (;;) {
    const auto piece = take_piece(rest);
    if (piece == "..") return tl::unexpected(EXDEV);
    const bool last = rest.find_first_not_of('/') == rest.npos;
    const int from = reached ? reached.get() : directory;
    auto opened = last ? open_piece(from, piece, flags) : open_step(from, piece);
    if (!opened) return opened;
    const auto there = mount_of(opened->get());
    if (!there) return tl::unexpected(there.error());
    if (*there != *mount) return tl::unexpected(EXDEV);
    if (last) return opened;
    reached = std::move(*opened);
  }
}

}  // namespace satchel
