#include "runtime/stick.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>

#include <cerrno>

#include "base/fault.hpp"

namespace satchel {

Task<void> Stick::open(Volumes& volumes, Lane& files) {
  if (is_open()) co_return;
  mount_point_ = co_await volumes.mount(volume_.node);
  auto opened = offload(files, [path = mount_point_] {
    UniqueFd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!root) throw fault_from_errno(errno, "open", path);
    return root;
  });
  root_ = co_await std::move(opened);
}

ByteCount Stick::free_space() const {
  struct statvfs about {};
  if (::fstatvfs(root(), &about) != 0) throw fault_from_errno(errno, "look at", mount_point_);
  return ByteCount(static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize);
}

}  // namespace satchel
