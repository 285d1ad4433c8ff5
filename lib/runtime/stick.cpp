#include "runtime/stick.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <utility>

namespace satchel {

std::optional<Fault> walled_off(const Volume& volume, const std::string& mount_point,
                                unsigned long flags) {
  if ((flags & ST_RDONLY) == 0 || volume.read_only) return std::nullopt;
  const auto path = mount_point + "/";
  for (const auto* open : {"/media/", "/run/media/", "/mnt/"})
    if (path.starts_with(open)) return std::nullopt;
  return Fault(Remedy::ask_admin,
               Fault::Text{"use", volume.node,
                           "it is mounted on " + mount_point + ", where satcheld may not write",
                           "Unmount it, and take it out of /etc/fstab: Satchel mounts its devices "
                           "itself. Then plug it in again."});
}

Task<void> Stick::open(Volumes& volumes, Lane& files) {
  if (is_open()) co_return;
  mount_point_ = co_await volumes.mount(volume_.node);
  auto opened = offload(files, [&volume = volume_, path = mount_point_] {
    UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    struct statvfs about {};
    if (!root || ::fstatvfs(root.get(), &about) != 0) throw fault_from_errno(errno, "open", path);
    if (auto refused = walled_off(volume, path, about.f_flag)) throw *std::move(refused);
    return root;
  });
  auto opened_root = co_await std::move(opened);
  auto root = std::make_shared<const UniqueFd>(std::move(opened_root));
  const std::lock_guard lock(mutex_);
  root_ = std::move(root);
}

bool Stick::is_open() const {
  const std::lock_guard lock(mutex_);
  return root_ != nullptr;
}

std::shared_ptr<const UniqueFd> Stick::root() const {
  const std::lock_guard lock(mutex_);
  if (!root_)
    throw Fault(Remedy::replug, Fault::Text{"use", volume_.node, "it is gone or let go of", {}});
  return root_;
}

void Stick::close() {
  const std::lock_guard lock(mutex_);
  root_.reset();
}

void Stick::note_memory_seen(const Digest& map) {
  const std::lock_guard lock(mutex_);
  memory_seen_.insert(map);
}

void Stick::forget_memory_seen(const Digest& map) {
  const std::lock_guard lock(mutex_);
  memory_seen_.erase(map);
  base_seen_.erase(map);
}

void Stick::note_base_seen(const Digest& map) {
  const std::lock_guard lock(mutex_);
  base_seen_.insert(map);
}

bool Stick::has_seen_base(const Digest& map) const {
  const std::lock_guard lock(mutex_);
  return base_seen_.contains(map);
}

bool Stick::has_seen_memory(const Digest& map) const {
  const std::lock_guard lock(mutex_);
  return memory_seen_.contains(map);
}

void Stick::distrust_memory(CapsuleId capsule) {
  const std::lock_guard lock(mutex_);
  memory_damaged_.insert(capsule);
}

bool Stick::distrusts_memory(CapsuleId capsule) const {
  const std::lock_guard lock(mutex_);
  return memory_damaged_.contains(capsule);
}

ByteCount Stick::free_space() const {
  struct statvfs about {};
  if (::fstatvfs(root()->get(), &about) != 0)
    throw fault_from_errno(errno, "look at", mount_point_);
  return ByteCount(static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize);
}

}  // namespace satchel
