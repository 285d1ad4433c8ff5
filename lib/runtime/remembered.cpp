#include "runtime/remembered.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/handle.hpp"
#include "base/host_fault.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

// What this computer remembers of a capsule, one line in a file of its own.
std::filesystem::path note_of(const Parts& parts, const char* what, CapsuleId capsule) {
  return parts.state_directory / what / capsule.value.str();
}

void remember(const Parts& parts, const char* what, CapsuleId capsule, const Uuid& id) {
  const auto note = note_of(parts, what, capsule);
  if (::mkdir(note.parent_path().c_str(), 0700) != 0 && errno != EEXIST)
    throw host_fault_from_errno(errno, "make", note.parent_path().string());
  write_private_file(note, id.str() + "\n");
}

bool is_remembered(const Parts& parts, const char* what, CapsuleId capsule, const Uuid& id) {
  std::ifstream note(note_of(parts, what, capsule));
  std::string line;
  return std::getline(note, line) && line == id.str();
}

}  // namespace

void remember_packed(const Parts& parts, CapsuleId capsule, DomainId domain) {
  remember(parts, "packed", capsule, domain.value);
}

bool was_packed_here(const Parts& parts, CapsuleId capsule, DomainId domain) {
  return is_remembered(parts, "packed", capsule, domain.value);
}

void forget_packed(const Parts& parts, CapsuleId capsule) {
  std::filesystem::remove(note_of(parts, "packed", capsule));
}

void remember_unrun(const Parts& parts, CapsuleId capsule, SessionId session) {
  remember(parts, "unrun", capsule, session.value);
}

void overlook_unrun(const Parts& parts, CapsuleId capsule, format::Head& head) {
  if (head.checked_out && is_remembered(parts, "unrun", capsule, head.checked_out->session.value))
    head.checked_out.reset();
}

bool was_packed_here(const Parts& parts, CapsuleId capsule) {
  return std::filesystem::exists(note_of(parts, "packed", capsule));
}

void write_private_file(const std::filesystem::path& file, std::string_view bytes) {
  const UniqueFd out(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out) throw host_fault_from_errno(errno, "make", file.string());
  while (!bytes.empty()) {
    const auto n = ::write(out.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw host_fault_from_errno(errno, "write", file.string());
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(out.get()) != 0) throw host_fault_from_errno(errno, "write", file.string());
}

void replace_private_file(const std::filesystem::path& file, std::string_view bytes) {
  auto fresh = file;
  fresh += ".new";
  write_private_file(fresh, bytes);
  if (::rename(fresh.c_str(), file.c_str()) != 0)
    throw host_fault_from_errno(errno, "write", file.string());
  const auto place = file.parent_path();
  const UniqueFd directory(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    throw host_fault_from_errno(errno, "write out", place.string());
}

}  // namespace satchel
