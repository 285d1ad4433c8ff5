#include "format/capsule_directory.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "format/capsule_state.hpp"
#include "format/text.hpp"
#include "format/writeback.hpp"

namespace satchel::format {
namespace {

constexpr std::size_t chunk = 1U << 20;

void check_path(const std::string& doing, std::string_view path) {
  if (const auto wrong = wrong_with_path(path))
    throw Fault(Remedy::report_bug, {doing, std::string(path), "the path is " + *wrong, {}});
}

Fault stopped(const std::string& doing, const std::string& shown) {
  return Fault(Remedy::retry, {doing, shown, "it was stopped", {}});
}

}  // namespace

std::string CapsuleDirectory::State::shown(std::string_view path) const {
  std::string out = std::string(top_directory) + "/" + id.value.str();
  if (!path.empty()) out += "/" + std::string(path);
  return out;
}

void CapsuleDirectory::State::require_writable(const std::string& doing) {
  const Found& now = looked();
  if (now.examination.unknown_version)
    throw Fault(Remedy::later_version, {doing,
                                        shown(),
                                        "it was written by a later version of Satchel (format " +
                                            std::to_string(*now.examination.unknown_version) + ")",
                                        {}});
  const bool fresh = std::ranges::all_of(
      now.slots, [](const SlotFound& slot) { return slot.state == SlotState::empty; });
  if (now.newest || fresh) return;
  std::string why = "no generation on it is whole";
  for (const auto& each : now.examination.problems)
    why += "; " + each.substr(0, each.find_last_not_of('.') + 1);
  throw Fault(
      Remedy::other_device,
      {doing, shown(), std::move(why),
       "Copy the capsule's directory somewhere safe before anything else is done with it."});
}

int CapsuleDirectory::State::directory_for(std::string_view path) {
  const std::string name(directory_of(path));
  work->directories.insert(name);
  if (name.empty()) return dir.get();
  auto at = directories.find(name);
  if (at == directories.end()) {
    if (make_directory(dir.get(), name, 0700, shown(name)) == Made::now)
      work->directories.insert("");
    at = directories.emplace(name, or_fault(open_directory(dir.get(), name), "open", shown(name)))
             .first;
  }
  return at->second.get();
}

void CapsuleDirectory::State::claim(const std::string& doing, const std::string& path) {
  check_path(doing, path);
  look();  // anew: what must not be overwritten is what the slots name now
  require_writable(doing);
  const std::lock_guard lock(work->mutex);
  work->claimed.insert(path);
  work->finished.erase(path);
}

CapsuleDirectory::CapsuleDirectory(std::unique_ptr<State> state) : state_(std::move(state)) {}
CapsuleDirectory::CapsuleDirectory(CapsuleDirectory&&) noexcept = default;
CapsuleDirectory& CapsuleDirectory::operator=(CapsuleDirectory&&) noexcept = default;
CapsuleDirectory::~CapsuleDirectory() = default;

CapsuleId CapsuleDirectory::id() const { return state_->id; }

Room CapsuleDirectory::room() const {
  struct statvfs room {};
  struct statfs kind {};
  if (::fstatvfs(state_->dir.get(), &room) != 0 || ::fstatfs(state_->dir.get(), &kind) != 0)
    throw fault_from_errno(errno, "measure the room at", state_->shown());
  const bool fat = kind.f_type == MSDOS_SUPER_MAGIC;
  const auto largest = fat ? std::numeric_limits<std::uint32_t>::max()
                           : static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return Room{ByteCount(static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize),
              ByteCount(static_cast<std::uint64_t>(room.f_blocks) * room.f_frsize),
              ByteCount(largest)};
}

std::string CapsuleDirectory::newest_head() {
  const auto seen = examine();
  if (!seen.newest)
    throw Fault(Remedy::other_device,
                {"read", state_->shown(), "no generation on it is complete", {}});
  const auto path = head_path(seen.newest->head.generation.seq);
  auto bytes =
      or_fault(read_whole(state_->dir.get(), path, largest_head), "read", state_->shown(path));
  if (digest_of(bytes) != seen.newest->digest)
    throw Fault(Remedy::replug, {"read", state_->shown(path), "it changed meanwhile", {}});
  return bytes;
}

void CapsuleDirectory::write_through() const {
  for (const char* path : slot_paths) {
    const auto shown = state_->shown(path);
    sync_file(or_fault(open_file(state_->dir.get(), path, O_RDONLY), "open", shown).get(), shown);
  }
}

UniqueFd CapsuleDirectory::open_object(std::string_view path, Access access) const {
  check_path("open", path);
  return or_fault(
      open_file(state_->dir.get(), std::string(path), access == Access::read ? O_RDONLY : O_RDWR),
      "open", state_->shown(path));
}

UniqueFd CapsuleDirectory::open_checked(const Object& object, Access access) const {
  UniqueFd fd = open_object(object.path, access);
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0)
    throw fault_from_errno(errno, "examine", state_->shown(object.path));
  const auto size = static_cast<std::uint64_t>(about.st_size);
  const bool good =
      is_merged_in_place(object.path) ? size >= object.size.value : size == object.size.value;
  if (!good)
    throw Fault(Remedy::other_device,
                {"use",
                 state_->shown(object.path),
                 "it has " + std::to_string(size) + " bytes and its head says " +
                     std::to_string(object.size.value),
                 {}});
  return fd;
}

bool CapsuleDirectory::is_as_stated(const Object& object, const ProgressSink& progress,
                                    std::stop_token stop) const {
  const auto shown = state_->shown(object.path);
  const UniqueFd fd = open_checked(object, Access::read);
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::vector<std::byte> buffer(chunk);
  Hasher hasher;
  for (std::uint64_t done = 0; done < object.size.value;) {
    if (stop.stop_requested()) throw stopped("check", shown);
    const auto wanted = std::min<std::uint64_t>(buffer.size(), object.size.value - done);
    const ssize_t n = ::pread(fd.get(), buffer.data(), wanted, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw fault_from_errno(errno, "read", shown);
    if (n == 0) return false;
    hasher.add(std::span(buffer).first(static_cast<std::size_t>(n)));
    done += static_cast<std::uint64_t>(n);
    if (progress) progress(Progress{"checking " + object.path, ByteCount(done), object.size});
  }
  return hasher.finish() == object.digest;
}

std::string CapsuleDirectory::read_object(const Object& object, ByteCount limit) const {
  const std::string shown = state_->shown(object.path);
  if (object.size > limit)
    throw Fault(Remedy::other_device, {"read", shown, "it is larger than " + to_string(limit), {}});
  const UniqueFd fd = open_checked(object, Access::read);
  std::string out(static_cast<std::size_t>(object.size.value), '\0');
  for (std::size_t done = 0; done < out.size();) {
    const ssize_t n =
        ::pread(fd.get(), out.data() + done, out.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw fault_from_errno(errno, "read", shown);
    if (n == 0) break;  // the digest tells
    done += static_cast<std::size_t>(n);
  }
  if (digest_of(out) != object.digest)
    throw Fault(Remedy::other_device, {"read", shown, "it was changed or damaged", {}});
  return out;
}

Object CapsuleDirectory::adopt_object(std::string path, const ProgressSink& progress,
                                      std::stop_token stop) {
  state_->claim("take in", path);
  return state_->work->guard([&] {
    const std::string shown = state_->shown(path);
    state_->directory_for(path);
    const UniqueFd fd = or_fault(open_file(state_->dir.get(), path, O_RDONLY), "open", shown);
    struct stat about {};
    if (::fstat(fd.get(), &about) != 0) throw fault_from_errno(errno, "examine", shown);
    const ByteCount total(static_cast<std::uint64_t>(about.st_size));
    std::vector<std::byte> buffer(chunk);
    Hasher hasher;
    Writeback writeback;
    std::uint64_t done = 0;
    for (;;) {
      if (stop.stop_requested()) throw stopped("take in", shown);
      const ssize_t n = ::pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw fault_from_errno(errno, "read", shown);
      if (n == 0) break;
      done += static_cast<std::uint64_t>(n);
      hasher.add(std::span(buffer).first(static_cast<std::size_t>(n)));
      writeback.reached(fd.get(), done, shown);
      if (progress) progress(Progress{"writing " + path, ByteCount(done), total});
    }
    sync_file(fd.get(), shown);
    Object object{path, ByteCount(done), hasher.finish()};
    state_->work->finished[path] = object;
    return object;
  });
}

std::string CapsuleDirectory::path_for_child(std::string_view path) {
  const std::string object(path);
  state_->claim("write", object);
  return state_->work->guard([&] {
    const int directory = state_->directory_for(object);
    const std::string name = object.substr(object.find('/') + 1);
    if (const auto there = open_file(directory, name, O_RDONLY); !there && there.error() != ENOENT)
      or_fault(OrErrno<UniqueFd>(tl::unexpected(there.error())), "write", state_->shown(object));
    return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(directory) + "/" + name;
  });
}

}  // namespace satchel::format
