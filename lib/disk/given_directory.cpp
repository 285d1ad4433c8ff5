#include "disk/given_directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>

#include "base/beneath.hpp"
#include "base/host_fault.hpp"

namespace satchel::disk {

namespace {

constexpr std::size_t most_names = 4096;
constexpr ByteCount largest_on_fat((std::uint64_t{1} << 32) - 1);

std::string why_of(int error) {
  if (error == ELOOP) return "it is a symbolic link, and those are not followed";
  if (error == EXDEV) return "it leads out of the directory, or into another filesystem";
  return std::generic_category().message(error);
}

Fault unfit(std::string doing, std::string object, std::string why) {
  return Fault(Remedy::fix_request,
               Fault::Text{std::move(doing), std::move(object), std::move(why), {}});
}

}  // namespace

GivenDirectory::GivenDirectory(UniqueFd directory, std::string shown)
    : directory_(std::move(directory)), shown_(std::move(shown)) {
  struct stat about {};
  if (::fstat(directory_.get(), &about) != 0)
    throw host_fault_from_errno(errno, "look at the directory", shown_);
  if (!S_ISDIR(about.st_mode)) throw unfit("use", shown_, "it is not a directory");
  const int flags = ::fcntl(directory_.get(), F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0)
    throw unfit("use", shown_, "the directory was not opened for reading");
}

std::vector<std::string> GivenDirectory::names() const {
  // A description of its own: the place in the directory is not shared with its owner's.
  auto fd = open_beneath(directory_.get(), ".", O_RDONLY | O_DIRECTORY);
  if (!fd) throw host_fault_from_errno(fd.error(), "list", shown_);
  const Handle<DIR, ::closedir> stream(::fdopendir(fd->get()));
  if (!stream) throw host_fault_from_errno(errno, "list", shown_);
  fd->release();
  std::vector<std::string> out;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") out.emplace_back(name);
    if (out.size() > most_names) throw unfit("list", shown_, "it has too many entries");
    errno = 0;
  }
  if (errno != 0) throw host_fault_from_errno(errno, "list", shown_);
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<UniqueFd> GivenDirectory::open(const std::string& path) const {
  // Without O_NONBLOCK a FIFO in the place of a file would hold us up for ever.
  auto fd = open_beneath(directory_.get(), path, O_RDONLY | O_NONBLOCK);
  if (!fd && fd.error() == ENOENT) return std::nullopt;
  if (!fd) throw unfit("open", shown(path), why_of(fd.error()));
  struct stat about {};
  if (::fstat(fd->get(), &about) != 0) throw host_fault_from_errno(errno, "look at", shown(path));
  if (!S_ISREG(about.st_mode)) throw unfit("open", shown(path), "it is no regular file");
  const int flags = ::fcntl(fd->get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd->get(), F_SETFL, flags & ~O_NONBLOCK) != 0)
    throw host_fault_from_errno(errno, "open", shown(path));
  return std::move(*fd);
}

std::string GivenDirectory::read(const std::string& path, ByteCount limit) const {
  const auto fd = open(path);
  if (!fd) throw unfit("read", shown(path), "it is missing");
  std::string out;
  char piece[64U << 10];
  for (;;) {
    const ssize_t n = ::read(fd->get(), piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw host_fault_from_errno(errno, "read", shown(path));
    if (n == 0) return out;
    out.append(piece, static_cast<std::size_t>(n));
    if (out.size() > limit.value)
      throw unfit("read", shown(path), "it is larger than " + to_string(limit));
  }
}

GivenDirectory::Room GivenDirectory::room() const {
  struct statfs about {};
  if (::fstatfs(directory_.get(), &about) != 0)
    throw host_fault_from_errno(errno, "look at the filesystem of", shown_);
  Room out;
  out.free = ByteCount(static_cast<std::uint64_t>(about.f_bavail) *
                       static_cast<std::uint64_t>(about.f_bsize));
  out.largest_file = about.f_type == MSDOS_SUPER_MAGIC
                         ? largest_on_fat
                         : ByteCount(std::numeric_limits<std::uint64_t>::max());
  return out;
}

std::string path_of(int fd) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd);
}

void write_all(int fd, std::string_view bytes, const std::string& shown) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw host_fault_from_errno(errno, "write", shown);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace satchel::disk
