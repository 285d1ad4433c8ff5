#include "sync/host_write.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/fault.hpp"
#include "sync/report.hpp"

namespace satchel::sync {
namespace {

std::string why_of(int error) {
  switch (error) {
    case ENAMETOOLONG:
      return "its name is too long for the host's filesystem";
    case EILSEQ:
    case EINVAL:
      return "the host's filesystem can't have such a name";
    case EFBIG:
      return "it is too large for the host's filesystem";
    case ELOOP:
    case ENOTDIR:
      return "its folder is none here";
    case ENOENT:
      return "its folder is not there any more";
    case EXDEV:
      return "another filesystem is mounted there";
    default:
      return std::generic_category().message(error);
  }
}

bool concerns_everything(int error) {
  return error == ENOSPC || error == EDQUOT || error == EIO || error == EROFS || error == ENODEV ||
         error == ENXIO || error == EMFILE || error == ENFILE || error == ENOMEM;
}

}  // namespace

Obstacle obstacle_from(int error, const std::string& doing, const std::string& what) {
  if (concerns_everything(error)) throw fault_from_errno(error, doing, shown(what));
  return {Obstacle::Kind::cannot, why_of(error)};
}

bool is_same_thing(const Found& now, const HostEntry& before) {
  Stamp expected = before.stamp;
  expected.changed = now.stamp.changed;
  return now.kind == before.version.kind && now.stamp == expected;
}

bool is_only_an_alias(HostTree& tree, const std::string& path) {
  const auto above = tree.directory(parent_of(path));
  const std::string name(name_of(path));
  if (!above || !look(*above, name)) return false;
  const auto names = names_in(*above);
  return std::ranges::find(names, name) == names.end();
}

OrObstacle<Found> make_directory(HostTree& tree, const std::string& path, std::uint32_t mode) {
  const auto above = tree.directory(parent_of(path));
  if (!above) return tl::unexpected(obstacle_from(above.error(), "open the folder of", path));
  const std::string name(name_of(path));
  const bool is_made = ::mkdirat(*above, name.c_str(), 0700) == 0;
  if (!is_made && errno != EEXIST)
    return tl::unexpected(obstacle_from(errno, "make the folder", path));
  const auto made = tree.directory(path);
  if (!made && !is_made)
    return tl::unexpected(Obstacle{Obstacle::Kind::taken, "something else is there by now"});
  if (!made) return tl::unexpected(obstacle_from(made.error(), "open the folder", path));
  // A set-group-id bit that the folder above passes on stays.
  struct stat about {};
  if (is_made && ::fstat(*made, &about) == 0)
    (void)::fchmod(*made, mode | (about.st_mode & S_ISGID));
  const auto found = look(*made);
  if (!found) return tl::unexpected(obstacle_from(found.error(), "look at", path));
  return *found;
}

std::optional<Obstacle> remove_directory(HostTree& tree, const std::string& path) {
  const auto above = tree.directory(parent_of(path));
  if (!above) return obstacle_from(above.error(), "open the folder of", path);
  if (::unlinkat(*above, std::string(name_of(path)).c_str(), AT_REMOVEDIR) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST)
      return Obstacle{Obstacle::Kind::changed, "something has come into it"};
    if (errno != ENOENT) return obstacle_from(errno, "remove the folder", path);
  }
  tree.forget(path);
  return std::nullopt;
}

OrObstacle<Found> restamp(HostTree& tree, const HostEntry& over, std::uint32_t mode,
                          UnixNanos mtime) {
  UniqueFd file;
  int fd = -1;
  if (over.version.kind == Kind::directory) {
    const auto directory = tree.directory(over.path);
    if (!directory) return tl::unexpected(obstacle_from(directory.error(), "open", over.path));
    fd = *directory;
  } else {
    auto opened = tree.open_file(over.path);
    if (!opened) return tl::unexpected(obstacle_from(opened.error(), "open", over.path));
    file = std::move(*opened);
    fd = file.get();
  }
  const auto now = look(fd);
  if (!now || now->stamp != over.stamp)
    return tl::unexpected(Obstacle{Obstacle::Kind::changed, "it was just changed"});
  if (mode != now->stamp.mode && ::fchmod(fd, mode) != 0 && errno != EPERM)
    return tl::unexpected(obstacle_from(errno, "set the mode of", over.path));
  if (over.version.kind == Kind::file && mtime != now->stamp.mtime) {
    const timespec times[] = {{0, UTIME_OMIT}, time_of(mtime)};
    if (::futimens(fd, times) != 0 && errno != EPERM)
      return tl::unexpected(obstacle_from(errno, "set the time of", over.path));
  }
  const auto after = look(fd);
  if (!after) return tl::unexpected(obstacle_from(after.error(), "look at", over.path));
  return *after;
}

void set_directory_time(HostTree& tree, const std::string& path, UnixNanos mtime) {
  const timespec times[] = {{0, UTIME_OMIT}, time_of(mtime)};
  if (const auto directory = tree.directory(path)) (void)::futimens(*directory, times);
}

}  // namespace satchel::sync
