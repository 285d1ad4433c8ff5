#include "sync/host_scan.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/fault.hpp"
#include "sync/content.hpp"

namespace satchel::sync {
namespace {

constexpr std::int64_t clock_step = 2'000'000'000;  // FAT's is the coarsest
constexpr std::size_t piece_size = 256U << 10;

std::string why(int error) { return std::generic_category().message(error); }

[[noreturn]] void throw_stopped() {
  throw Fault(Remedy::retry, {"sync", "the folder", "it was stopped", {}});
}

UnixNanos clock_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return UnixNanos(now.tv_sec * 1'000'000'000 + now.tv_nsec);
}

Trust trust_of(const Stamp& stamp) {
  return stamp.mtime.value < clock_now().value - clock_step ? Trust::by_stamp : Trust::by_digest;
}

OrErrno<std::string> link_at(int directory, const std::string& name) {
  std::array<char, 4096> target{};
  const ssize_t n = ::readlinkat(directory, name.c_str(), target.data(), target.size());
  if (n < 0) return tl::unexpected(errno);
  return std::string(target.data(), static_cast<std::size_t>(n));
}

class Scan {
 public:
  Scan(HostTree& tree, Leftovers leftovers, const ProgressSink& progress, std::stop_token stop)
      : tree_(tree), leftovers_(leftovers), progress_(progress), stop_(std::move(stop)) {}

  std::vector<HostEntry> run() {
    const auto top = look(tree_.target());
    if (!top) throw fault_from_errno(top.error(), "look at", tree_.shown_path({}));
    device_ = top->device;
    if (const int error = scan({})) throw fault_from_errno(error, "list", tree_.shown_path({}));
    while (!to_do_.empty()) {
      const std::string path = std::move(to_do_.back());
      to_do_.pop_back();
      if (const int error = scan(path)) closed_.emplace_back(path, error);
    }
    std::ranges::sort(out_, TreeOrder{}, &HostEntry::path);
    for (const auto& [path, error] : closed_) close(path, error);
    return std::move(out_);
  }

 private:
  // Gives errno.
  int scan(const std::string& path) {
    if (stop_.stop_requested()) throw_stopped();
    if (progress_) progress_({"looking at the host's files", {}, {}});
    const auto directory = tree_.directory(path);
    if (!directory) return directory.error();
    // A description of its own, whose place in the directory nobody else moves.
    const int own = ::openat(*directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) return errno;
    const Handle<DIR, ::closedir> stream(::fdopendir(own));
    if (!stream) {
      const int error = errno;
      ::close(own);
      return error;
    }
    for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == ".." || (path.empty() && name == trash_name)) continue;
      take(own, path, std::string(name));
    }
    return errno;
  }

  void take(int directory, const std::string& above, const std::string& name) {
    const auto found = look(directory, name);
    if (!found && found.error() == ENOENT) return;  // it has just gone
    HostEntry out;
    out.path = joined(above, name);
    if (!found) {
      out.closed = "the host's can't be looked at: " + why(found.error());
    } else if (is_temporary(name) && found->owner == ::geteuid()) {
      if (leftovers_ == Leftovers::removed && found->kind != Kind::directory)
        ::unlinkat(directory, name.c_str(), 0);
      return;
    } else {
      fill(out, directory, name, *found);
    }
    out_.push_back(std::move(out));
  }

  void fill(HostEntry& out, int directory, const std::string& name, const Found& found) {
    Seen seen = seen_on_host(found, std::nullopt);
    if (found.kind == Kind::directory) {
      if (found.mount == Found::Mount::yes || found.device != device_)
        out.closed = "another filesystem is mounted there";
      else
        to_do_.push_back(out.path);
    } else if (found.kind == Kind::link) {
      if (const auto target = link_at(directory, name))
        seen.version.digest = link_digest(*target);
      else
        out.closed = "the host's link can't be read: " + why(target.error());
    }
    out.version = seen.version;
    out.stamp = seen.stamp;
    out.trust = seen.trust;
  }

  void close(const std::string& path, int error) {
    const auto at = std::ranges::lower_bound(out_, path, TreeOrder{}, &HostEntry::path);
    if (at == out_.end() || at->path != path) return;
    at->closed = "the host's folder can't be read: " + why(error);
  }

  HostTree& tree_;
  Leftovers leftovers_;
  const ProgressSink& progress_;
  std::stop_token stop_;
  std::uint64_t device_ = 0;
  std::vector<std::string> to_do_;
  std::vector<HostEntry> out_;
  std::vector<std::pair<std::string, int>> closed_;
};

// Reads the file from its first byte to its last; gives errno.
int read_whole(int fd, std::uint64_t size, ContentDigest& digest, const std::stop_token& stop) {
  std::vector<std::byte> buffer(
      static_cast<std::size_t>(std::min<std::uint64_t>(size, piece_size)));
  off_t at = 0;
  const auto end = static_cast<off_t>(size);
  while (at < end) {
    off_t data = ::lseek(fd, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) data = end;
    if (data < 0) data = at;  // a filesystem without holes
    data = std::min(data, end);
    digest.hole(ByteCount(static_cast<std::uint64_t>(data - at)));
    off_t hole = data == end ? end : ::lseek(fd, data, SEEK_HOLE);
    if (hole < 0 || hole > end) hole = end;
    for (at = data; at < hole;) {
      if (stop.stop_requested()) throw_stopped();
      const auto wanted = std::min(buffer.size(), static_cast<std::size_t>(hole - at));
      const ssize_t n = ::pread(fd, buffer.data(), wanted, at);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno;
      if (n == 0) return 0;  // shorter than it was: its stamp will tell
      digest.data(std::span(buffer).first(static_cast<std::size_t>(n)));
      at += n;
    }
  }
  return 0;
}

}  // namespace

std::vector<HostEntry> scan_host(HostTree& tree, Leftovers leftovers, const ProgressSink& progress,
                                 std::stop_token stop) {
  return Scan(tree, leftovers, progress, std::move(stop)).run();
}

void digest_host_file(HostTree& tree, HostEntry& entry, std::stop_token stop) {
  const auto fd = tree.open_file(entry.path);
  if (!fd) {
    entry.closed = "the host's can't be read: " + why(fd.error());
    return;
  }
  ContentDigest digest;
  const int error = read_whole(fd->get(), entry.stamp.size.value, digest, stop);
  if (error != 0) {
    entry.closed = "the host's can't be read: " + why(error);
    return;
  }
  const auto after = look(fd->get());
  if (!after || after->stamp != entry.stamp) {
    entry.closed = "the host's is being changed at this moment; the next sync looks at it again";
    return;
  }
  entry.version.digest = digest.finish();
  entry.trust = trust_of(entry.stamp);
}

Seen seen_on_host(const Found& found, const std::optional<Digest>& digest) {
  Seen out;
  out.version.kind = found.kind;
  if (found.kind == Kind::file) out.version.size = found.stamp.size;
  out.version.digest = found.kind == Kind::directory ? Digest{} : digest;
  out.stamp = found.stamp;
  out.trust = found.kind == Kind::file ? trust_of(found.stamp) : Trust::by_stamp;
  return out;
}

}  // namespace satchel::sync
