#include "fakes/plain_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "base/fault.hpp"

namespace satchel {
namespace {

using sync::Entry;
using sync::Kind;

UnixNanos nanos(const timespec& time) {
  return UnixNanos(time.tv_sec * 1'000'000'000 + time.tv_nsec);
}

UniqueFd open_or_throw(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) throw fault_from_errno(errno, "open", path);
  return fd;
}

Entry entry_at(int directory, const char* name, std::string path) {
  struct stat about {};
  if (::fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) != 0)
    throw fault_from_errno(errno, "look at", path);
  Entry out;
  out.path = std::move(path);
  out.kind = S_ISREG(about.st_mode)   ? Kind::file
             : S_ISDIR(about.st_mode) ? Kind::directory
             : S_ISLNK(about.st_mode) ? Kind::link
                                      : Kind::other;
  out.size = ByteCount(static_cast<std::uint64_t>(about.st_size));
  out.allocated = ByteCount(static_cast<std::uint64_t>(about.st_blocks) * 512);
  out.mtime = nanos(about.st_mtim);
  out.changed = nanos(about.st_ctim);
  out.mode = about.st_mode & 07777U;
  if (S_ISSOCK(about.st_mode)) out.what = "socket";
  if (S_ISFIFO(about.st_mode)) out.what = "FIFO";
  if (S_ISBLK(about.st_mode)) out.what = "block device";
  if (S_ISCHR(about.st_mode)) out.what = "character device";
  if (out.kind == Kind::link) {
    std::array<char, 4096> target{};
    const auto n = ::readlinkat(directory, name, target.data(), target.size());
    if (n > 0) out.link_target.assign(target.data(), static_cast<std::size_t>(n));
  }
  return out;
}

void copy(int fd, sync::ContentSink& to) {
  std::vector<std::byte> buffer(1U << 20);
  struct stat about {};
  if (::fstat(fd, &about) != 0) throw fault_from_errno(errno, "read", "a file");
  for (off_t at = 0; at < about.st_size;) {
    off_t data = ::lseek(fd, at, SEEK_DATA);
    if (data < 0) data = about.st_size;
    if (data > at) to.hole(ByteCount(static_cast<std::uint64_t>(data - at)));
    if (data >= about.st_size) return;
    const off_t hole = ::lseek(fd, data, SEEK_HOLE);
    for (at = data; at < hole;) {
      const auto wanted = std::min(buffer.size(), static_cast<std::size_t>(hole - at));
      const auto n = ::pread(fd, buffer.data(), wanted, at);
      if (n <= 0) throw fault_from_errno(n < 0 ? errno : EIO, "read", "a file");
      to.data(std::span(buffer).first(static_cast<std::size_t>(n)));
      at += n;
    }
  }
}

}  // namespace

void PlainTree::list(const sync::EntrySink& to, std::stop_token) {
  std::vector<std::string> directories{{}};
  while (!directories.empty()) {
    const std::string above = std::move(directories.back());
    directories.pop_back();
    UniqueFd fd = open_or_throw(root_ + "/" + above, O_RDONLY | O_DIRECTORY);
    const Handle<DIR, ::closedir> stream(::fdopendir(fd.release()));
    while (const dirent* each = ::readdir(stream.get())) {
      const std::string name = each->d_name;
      if (name == "." || name == "..") continue;
      Entry entry =
          entry_at(::dirfd(stream.get()), each->d_name, above.empty() ? name : above + "/" + name);
      if (entry.kind == Kind::directory) directories.push_back(entry.path);
      to(std::move(entry));
    }
  }
}

void PlainTree::read(std::span<const std::string> paths, sync::ContentSink& to, std::stop_token) {
  for (const std::string& path : paths) {
    const UniqueFd fd = open_or_throw(root_ + "/" + path, O_RDONLY);
    to.begin(path);
    copy(fd.get(), to);
    to.end();
  }
}

}  // namespace satchel
