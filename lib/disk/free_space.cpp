#include "disk/free_space.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "base/handle.hpp"
#include "disk/noise.hpp"

namespace satchel::disk {

namespace {

constexpr const char* file_name = ".satchel-probe";
constexpr std::size_t piece = std::size_t{1} << 20;
/// Written through at once, so that little is in the page cache and progress tells of the device.
constexpr std::uint64_t written_through = std::uint64_t{64} << 20;
/// Of one file: every filesystem has files of that size.
constexpr std::uint64_t largest_file = std::uint64_t{2} << 30;

class FreeSpace {
 public:
  FreeSpace(int directory, const std::string& name, const ProgressSink& progress,
            std::stop_token stop)
      : directory_(directory), name_(name), progress_(progress), stop_(std::move(stop)) {}

  ByteCount probe(ByteCount leave) {
    const auto room = free();
    wanted_ = room - std::min(room, leave.value);
    wanted_ -= wanted_ % piece;
    write();
    read();
    return ByteCount(written_);
  }

 private:
  std::uint64_t free() const {
    struct statvfs about {};
    if (::fstatvfs(directory_, &about) != 0) throw fault_from_errno(errno, "measure", name_);
    return static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize;
  }

  void tell(std::uint64_t done) const {
    if (stop_.stop_requested())
      throw Fault(Remedy::retry, Fault::Text{"probe", name_, "it was stopped", {}});
    if (progress_) progress_({"probing the device", ByteCount(done), ByteCount(2 * wanted_)});
  }

  void begin_file() {
    files_.emplace_back(
        ::openat(directory_, file_name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!files_.back()) throw fault_from_errno(errno, "write a test file on", name_);
    if (::unlinkat(directory_, file_name, 0) != 0)
      throw fault_from_errno(errno, "remove the test file on", name_);
  }

  /// False when there is no more room, which may come before the free space that was told is used.
  bool write_piece(int file, std::uint64_t at) const {
    std::size_t done = 0;
    while (done < piece) {
      const auto n =
          ::pwrite(file, bytes_.data() + done, piece - done, static_cast<off_t>(at + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == ENOSPC || errno == EDQUOT)) return false;
      if (n < 0) throw fault_from_errno(errno, "write a test file on", name_);
      done += static_cast<std::size_t>(n);
    }
    return true;
  }

  void write_through(int file) const {
    if (::fdatasync(file) != 0) throw fault_from_errno(errno, "write a test file on", name_);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  }

  void write() {
    for (; written_ < wanted_; written_ += piece) {
      tell(written_);
      const auto at = written_ % largest_file;
      if (at == 0) begin_file();
      fill_with_noise(bytes_, seed_, written_);
      if (!write_piece(files_.back().get(), at)) break;
      if (at % written_through == written_through - piece) write_through(files_.back().get());
    }
    for (const auto& file : files_) write_through(file.get());
  }

  void read() {
    std::vector<std::byte> found(piece);
    for (std::uint64_t done = 0; done < written_; done += piece) {
      tell(wanted_ + done);
      const int file = files_[done / largest_file].get();
      const auto at = static_cast<off_t>(done % largest_file);
      const auto n = ::pread(file, found.data(), piece, at);
      if (n < 0) throw fault_from_errno(errno, "read a test file on", name_);
      fill_with_noise(bytes_, seed_, done);
      if (n != static_cast<ssize_t>(piece) || found != bytes_)
        throw Fault(Remedy::other_device,
                    Fault::Text{"probe", name_,
                                "of " + to_string(ByteCount(written_)) +
                                    " written to its free space something else came back, first "
                                    "after " +
                                    to_string(ByteCount(done)),
                                "It keeps less than it says, or fails: copy off it what is still "
                                "there (satchelctl verify tells) and use another one."});
      ::posix_fadvise(file, at, static_cast<off_t>(piece), POSIX_FADV_DONTNEED);
    }
  }

  int directory_;
  const std::string& name_;
  const ProgressSink& progress_;
  std::stop_token stop_;
  std::uint64_t seed_ = noise_seed();
  std::uint64_t wanted_ = 0;
  std::uint64_t written_ = 0;
  std::vector<UniqueFd> files_;
  std::vector<std::byte> bytes_ = std::vector<std::byte>(piece);
};

}  // namespace

ByteCount probe_free_space(int directory, const std::string& name, ByteCount leave,
                           const ProgressSink& progress, std::stop_token stop) {
  return FreeSpace(directory, name, progress, std::move(stop)).probe(leave);
}

}  // namespace satchel::disk
