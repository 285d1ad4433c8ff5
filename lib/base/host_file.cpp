#include "base/host_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/handle.hpp"
#include "base/host_fault.hpp"

namespace satchel {

std::optional<std::string> find_host_file(const std::filesystem::path& file, LastLink link) {
  const int follow = link == LastLink::follow ? 0 : O_NOFOLLOW;
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | follow));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) throw host_fault_from_errno(errno, "open", file.string());
  std::string out;
  std::array<char, 16384> block{};
  for (;;) {
    const auto got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw host_fault_from_errno(errno, "read", file.string());
    if (got == 0) return out;
    out.append(block.data(), static_cast<std::size_t>(got));
  }
}

std::string read_host_file(const std::filesystem::path& file, LastLink link) {
  auto out = find_host_file(file, link);
  if (!out) throw host_fault_from_errno(ENOENT, "open", file.string());
  return std::move(*out);
}

}  // namespace satchel
