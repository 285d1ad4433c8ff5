#include "places.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cstdlib>
#include <system_error>

#include "base/fault.hpp"
#include "hibernation/save_gate.hpp"

namespace satchel {

namespace {

std::filesystem::path from_environment(const char* variable, const char* otherwise) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

void make_directory(const std::filesystem::path& directory, mode_t mode) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) throw fault_from_errno(error.value(), "make", directory.string());
  if (::chmod(directory.c_str(), mode) != 0)
    throw fault_from_errno(errno, "set the mode of", directory.string());
}

}  // namespace

Places places() {
  return Places{from_environment("STATE_DIRECTORY", "/var/lib/satchel"),
                from_environment("RUNTIME_DIRECTORY", "/run/satchel"),
                from_environment("CONFIGURATION_DIRECTORY", "/etc/satchel")};
}

UniqueFd prepare(const Places& places) {
  // QEMU's user passes through to overlays and consoles that libvirt opens by path.
  make_directory(places.state, 0711);
  const auto lock_file = places.state / "lock";
  UniqueFd lock(::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) throw fault_from_errno(errno, "open", lock_file.string());
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    throw Fault(Remedy::fix_request,
                Fault::Text{"use", places.state.string(), "another satcheld does already",
                            "Stop that one first: systemctl stop satcheld"});
  make_directory(places.state / "serial", 0711);
  make_directory(places.runtime, 0700);
  std::error_code error;
  for (const auto& capsule : std::filesystem::directory_iterator(places.runtime, error))
    hibernation::SaveGate::turn_away_leftover(capsule.path());
  if (error) throw fault_from_errno(error.value(), "list", places.runtime.string());
  return lock;
}

}  // namespace satchel
