#include "runtime/disk_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/host_fault.hpp"
#include "base/host_file.hpp"
#include "crypto/digest.hpp"
#include "runtime/host_room.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t piece = 1U << 20;

std::optional<struct stat> look_at(const fs::path& file) {
  struct stat about {};
  if (::lstat(file.c_str(), &about) != 0) return std::nullopt;
  return about;
}

ByteCount taken_below(const fs::path& place) {
  ByteCount sum;
  std::error_code failed;
  for (const auto& each : fs::recursive_directory_iterator(place, failed))
    if (const auto about = look_at(each.path()))
      sum = sum + ByteCount(static_cast<std::uint64_t>(about->st_blocks) * 512);
  return sum;
}

ByteCount clear_away(const fs::path& place) {
  const auto freed = taken_below(place);
  std::error_code failed;
  fs::remove_all(place, failed);
  if (failed) throw host_fault_from_errno(failed.value(), "clear", place.string());
  return freed;
}

}  // namespace

DiskCache::DiskCache(fs::path directory, const Config& config, const SessionShelf& shelf, Log& log)
    : directory_(std::move(directory)),
      most_(config.cache.disks),
      keep_free_(config.space.keep_free_host),
      disks_of_(config.cache.disks_of),
      shelf_(shelf),
      log_(log) {
  for (const auto& [capsule, settings] : config.capsules)
    if (settings.privacy == Privacy::kept) private_.insert(capsule);
}

fs::path DiskCache::of(CapsuleId capsule) const { return directory_ / capsule.value.str(); }
fs::path DiskCache::copy_of(CapsuleId capsule, const format::Object& file) const {
  return of(capsule) / (file.digest.hex() + ".qcow2");
}
fs::path DiskCache::part_of(CapsuleId capsule, const format::Object& file) const {
  return of(capsule) / (file.digest.hex() + ".part");
}
fs::path DiskCache::head_of(CapsuleId capsule) const { return of(capsule) / "head.json"; }

bool DiskCache::may_keep(CapsuleId capsule, Home home) const {
  if (most_.value == 0 || private_.contains(capsule)) return false;
  return disks_of_ == DisksKept::everywhere || home == Home::yes;
}

std::vector<format::Object> DiskCache::files_of(const format::Head& head) {
  std::vector<format::Object> out;
  for (const auto& disk : head.disks)
    for (const auto& path : disk.chain)
      if (const auto* object = head.find(path)) out.push_back(*object);
  std::ranges::stable_sort(out, {}, &format::Object::size);
  return out;
}

std::vector<DiskCache::Kept> DiskCache::all() const {
  std::vector<Kept> out;
  std::error_code failed;
  for (const auto& each : fs::directory_iterator(directory_, failed)) {
    const auto id = Uuid::parse(each.path().filename().string());
    if (!id) continue;
    const CapsuleId capsule(*id);
    std::error_code gone;
    auto used = fs::last_write_time(head_of(capsule), gone);
    if (gone) used = fs::file_time_type::min();
    const bool is_needed = fs::exists(shelf_.directory(capsule), gone);
    out.push_back({capsule, used, taken_below(each.path()), is_needed});
  }
  std::ranges::sort(out, {}, &Kept::used);
  return out;
}

bool DiskCache::has_room() const { return free_space(directory_.parent_path()) >= keep_free_; }

bool DiskCache::make_room(CapsuleId capsule, const std::vector<format::Object>& files,
                          ByteCount besides) const {
  ByteCount own;
  ByteCount more;
  for (const auto& file : files) {
    own = own + file.size;
    auto there = look_at(copy_of(capsule, file));
    if (!there) there = look_at(part_of(capsule, file));
    const ByteCount has(there ? static_cast<std::uint64_t>(there->st_size) : 0);
    if (has < file.size) more = more + ByteCount(file.size.value - has.value);
  }
  const auto others = all();
  ByteCount sum = own;
  ByteCount stays = own;
  ByteCount spare;
  for (const auto& each : others) {
    if (each.capsule == capsule) continue;
    sum = sum + each.size;
    auto& of = each.is_needed ? stays : spare;
    of = of + each.size;
  }
  // What can't be kept whatever makes way costs nobody his copies.
  if (stays > most_ || free_space(directory_.parent_path()) + spare < keep_free_ + more + besides)
    return false;
  const auto fits = [&] {
    return sum <= most_ && free_space(directory_.parent_path()) >= keep_free_ + more + besides;
  };
  for (const auto& each : others) {
    if (fits()) return true;
    if (each.capsule == capsule || each.is_needed) continue;
    clear_away(of(each.capsule));
    sum = ByteCount(sum.value - each.size.value);
  }
  return fits();
}

void DiskCache::give_way(ByteCount free, std::optional<CapsuleId> also) const {
  const auto is_enough = [&] { return free_space(directory_.parent_path()) >= keep_free_ + free; };
  try {
    for (const auto& each : all()) {
      if (is_enough()) return;
      if (!each.is_needed) clear_away(of(each.capsule));
    }
    if (also && !is_enough()) clear_away(of(*also));
  } catch (const Fault& failure) {
    log_.warning(std::string(failure.what()) + "; what is kept of disks stays");
  }
}

bool DiskCache::has(CapsuleId capsule, const format::Object& file) const {
  const auto there = look_at(copy_of(capsule, file));
  return there && S_ISREG(there->st_mode) &&
         static_cast<std::uint64_t>(there->st_size) == file.size.value;
}

void DiskCache::make_directory(CapsuleId capsule) const {
  for (const auto& place : {directory_, of(capsule)})
    if (::mkdir(place.c_str(), 0700) != 0 && errno != EEXIST)
      throw host_fault_from_errno(errno, "make", place.string());
}

UniqueFd DiskCache::begin(CapsuleId capsule, const format::Object& file) const {
  make_directory(capsule);
  const auto path = part_of(capsule, file);
  UniqueFd part(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!part) throw host_fault_from_errno(errno, "keep", path.string());
  return part;
}

void DiskCache::finish(CapsuleId capsule, const format::Object& file, int part) const {
  const auto from = part_of(capsule, file);
  const auto to = copy_of(capsule, file);
  if (::fsync(part) != 0 || ::rename(from.c_str(), to.c_str()) != 0)
    throw host_fault_from_errno(errno, "keep", to.string());
}

void DiskCache::abandon(CapsuleId capsule, const format::Object& file) const {
  std::error_code failed;
  fs::remove(part_of(capsule, file), failed);
}

void DiskCache::complete(const format::Head& head, std::string_view bytes) const {
  make_directory(head.capsule);  // of a machine without disks
  replace_private_file(head_of(head.capsule), bytes);
  std::set<fs::path> stays{head_of(head.capsule)};
  for (const auto& file : files_of(head)) stays.insert(copy_of(head.capsule, file));
  std::error_code failed;
  for (const auto& each : fs::directory_iterator(of(head.capsule), failed))
    if (!stays.contains(each.path())) fs::remove(each.path(), failed);
}

std::optional<format::Head> DiskCache::kept(CapsuleId capsule) const {
  const auto bytes = find_host_file(head_of(capsule));
  if (!bytes) return std::nullopt;
  auto head = format::read_head(*bytes);
  if (!head || head->head.capsule != capsule) return std::nullopt;
  for (const auto& file : files_of(head->head))
    if (!has(capsule, file)) return std::nullopt;
  return std::move(head->head);
}

void DiskCache::check(const format::Head& head, const ProgressSink& progress,
                      std::stop_token stop) const {
  const auto files = files_of(head);
  ByteCount total;
  for (const auto& file : files) total = total + file.size;
  ByteCount done;
  std::vector<std::byte> buffer(piece);
  for (const auto& file : files) {
    const auto fd = open(head.capsule, file);
    Hasher hasher;
    for (;;) {
      if (stop.stop_requested())
        throw Fault(Remedy::retry, {"check what is kept of", head.name, "it was stopped", {}});
      const auto n = ::read(fd.get(), buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw host_fault_from_errno(errno, "read", copy_of(head.capsule, file).string());
      if (n == 0) break;
      hasher.add(std::span(buffer).first(static_cast<std::size_t>(n)));
      done = done + ByteCount(static_cast<std::uint64_t>(n));
      if (progress) progress({"reading " + file.path, done, total});
    }
    if (hasher.finish() == file.digest) continue;
    std::error_code failed;
    fs::remove(copy_of(head.capsule, file), failed);
    throw Fault(Remedy::replug,
                {"use what this computer keeps of", head.name,
                 "its copy of " + file.path + " is damaged, and was removed",
                 "Plug the machine's device in; it is copied again while the machine runs."});
  }
}

UniqueFd DiskCache::open(CapsuleId capsule, const format::Object& file) const {
  const auto path = copy_of(capsule, file);
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) throw host_fault_from_errno(errno, "open", path.string());
  return fd;
}

ByteCount DiskCache::drop(std::optional<CapsuleId> capsule) const {
  return clear_away(capsule ? of(*capsule) : directory_);
}

void DiskCache::tidy() const {
  try {
    for (const auto& each : all()) {
      const bool may_stay = most_.value > 0 && !private_.contains(each.capsule);
      // Of an open session they may be all that is left of its disks.
      if (!may_stay && !each.is_needed) drop(each.capsule);
    }
    if (most_.value > 0) make_room(CapsuleId(), {}, {});
  } catch (const Fault& failure) {
    log_.warning(std::string(failure.what()) + "; it holds disks of machines that were here");
  }
}

}  // namespace satchel
