#include "runtime/last_write.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/host_fault.hpp"

namespace satchel {

namespace {

/// None when it is not there.
std::optional<UnixMicros> written_at(const std::string& file) {
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0) {
    if (errno == ENOENT) return std::nullopt;
    throw host_fault_from_errno(errno, "look at", file);
  }
  return UnixMicros(static_cast<std::uint64_t>(about.st_mtim.tv_sec) * 1'000'000 +
                    static_cast<std::uint64_t>(about.st_mtim.tv_nsec) / 1'000);
}

UnixMicros last_write(const Session& session, Written what) {
  std::vector<std::string> files;
  for (const auto& disk : session.disks)
    for (auto& overlay : disk.overlays()) files.push_back(std::move(overlay));
  if (session.nvram && what == Written::anything) files.push_back(*session.nvram);
  UnixMicros newest;
  for (const auto& file : files)
    if (const auto written = written_at(file)) newest = std::max(newest, *written);
  return newest;
}

/// What can't be asked for may have been written to.
bool is_later(const Session& session, const std::optional<UnixMicros>& than, Written what) {
  try {
    return !than || last_write(session, what) > *than;
  } catch (const Fault&) {
    return true;
  }
}

}  // namespace

UnixMicros last_write(const Session& session) { return last_write(session, Written::anything); }

bool has_written_since(const Session& session, const std::filesystem::path& file, Written what) {
  return is_later(session, written_at(file.string()), what);
}

bool has_written_since_commit(const Session& session) {
  return session.written && is_later(session, session.written, Written::anything);
}

}  // namespace satchel
