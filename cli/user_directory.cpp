#include "user_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "exit_code.hpp"
#include "table.hpp"

namespace satchel::cli {

namespace {

Refusal refused(const std::string& doing, const std::string& path, int error) {
  const auto code = error == ENOENT                      ? ExitCode::not_found
                    : error == EACCES || error == EPERM  ? ExitCode::not_authorised
                    : error == ENOSPC || error == EDQUOT ? ExitCode::no_space
                                                         : ExitCode::bad_request;
  return Refusal(code, doing + " '" + path + "': " + std::generic_category().message(error) + ".",
                 code == ExitCode::no_space ? "Free some space there, or give another directory."
                                            : "Give another directory.");
}

}  // namespace

UserDirectory::UserDirectory(const std::string& path, Missing missing) : path_(path) {
  if (missing == Missing::is_made) {
    made_ = ::mkdir(path.c_str(), 0700) == 0;
    if (!made_ && errno != EEXIST) throw refused("Could not make the directory", path, errno);
  }
  fd_.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd_) throw refused("Could not open the directory", path, errno);
  std::error_code error;
  full_path_ = std::filesystem::canonical(path, error).string();
  if (error) throw refused("Could not find", path, error.value());
}

UserDirectory::~UserDirectory() {
  // Only an empty one goes.
  if (made_) ::rmdir(path_.c_str());
}

std::string how_to_go_on(const UserDirectory& exported) {
  const auto place = printable(exported.full_path());
  const bool has_memory =
      ::faccessat(exported.fd().get(), "guest.save", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  std::string out = "To go on with it under libvirt: virsh define " + place + "/domain.xml";
  out += has_memory ? "; virsh restore " + place + "/guest.save" : "; virsh start the machine";
  return out + ". " + place + "/README.txt has the rest.";
}

}  // namespace satchel::cli
