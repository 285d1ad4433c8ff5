#include "runtime/host_room.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "base/fault.hpp"
#include "base/host_fault.hpp"

namespace satchel {

ByteCount free_space(const std::filesystem::path& directory) {
  struct statvfs about {};
  if (::statvfs(directory.c_str(), &about) != 0)
    throw host_fault_from_errno(errno, "look at", directory.string());
  return ByteCount(static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize);
}

ByteCount allocated(const std::vector<std::string>& files) {
  ByteCount sum;
  for (const auto& file : files) {
    struct stat about {};
    if (::stat(file.c_str(), &about) != 0) throw host_fault_from_errno(errno, "look at", file);
    sum = sum + ByteCount(static_cast<std::uint64_t>(about.st_blocks) * 512);
  }
  return sum;
}

const char* HostRoom::next_step() {
  return "Free some space on this computer's disk, or eject: a machine whose disk writes find no "
         "room is paused until there is some.";
}

void HostRoom::start() {
  boost::asio::co_spawn(parts_.loop, keep_looking(), boost::asio::detached);
}

void HostRoom::look() {
  asked_ = true;
  pause_.cancel();
}

Task<void> HostRoom::keep_looking() {
  for (;;) {
    asked_ = false;
    auto measuring = measure();
    co_await std::move(measuring);
    if (asked_) continue;
    pause_.expires_at(next_look());
    boost::system::error_code woken;
    co_await pause_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
  }
}

boost::asio::steady_timer::time_point HostRoom::next_look() const {
  if (!hooks_.needed() && shortage_.empty()) return boost::asio::steady_timer::time_point::max();
  const auto keep = parts_.config.space.keep_free_host.value;
  const auto left = free_.value - std::min(free_.value, keep);
  const std::chrono::seconds soonest_short(left / fastest_growth);
  return std::chrono::steady_clock::now() + std::clamp(soonest_short, shortest, longest);
}

Task<void> HostRoom::measure() {
  try {
    auto asking =
        offload(parts_.lanes.files, [where = parts_.state_directory] { return free_space(where); });
    free_ = co_await std::move(asking);
  } catch (const Fault& failure) {
    parts_.log.debug(std::string(failure.what()) + "; taking the room to be as it was");
    co_return;
  }
  const bool short_before = !shortage_.empty();
  const bool is_short = hooks_.needed() && free_ < parts_.config.space.keep_free_host;
  shortage_.clear();
  if (is_short)
    shortage_ = "This computer's disk has only " + to_string(free_) + " free (" +
                parts_.state_directory.string() + ").";
  if (is_short != short_before) {
    if (is_short)
      parts_.log.warning(shortage_ + " The machines run on. " + next_step());
    else if (hooks_.needed())
      parts_.log.info("this computer's disk has room again: " + to_string(free_));
  }
  if (is_short || short_before) hooks_.changed();
}

}  // namespace satchel
