// export and import: the directory is opened here, as the user, and only its descriptor is passed.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <ostream>
#include <system_error>

#include "commands.hpp"
#include "names.hpp"
#include "run_job.hpp"

namespace satchel::cli {

namespace {

Refusal refused(const std::string& doing, const std::string& path, int error) {
  const auto code = error == ENOENT                      ? ExitCode::not_found
                    : error == EACCES || error == EPERM  ? ExitCode::not_authorised
                    : error == ENOSPC || error == EDQUOT ? ExitCode::no_space
                                                         : ExitCode::bad_request;
  return Refusal(code, doing + " '" + path + "': " + std::generic_category().message(error) + ".");
}

/// A directory of the user's: made when it is not there, and then removed again unless it is kept.
class UserDirectory {
 public:
  enum class Missing { is_made, is_refused };
  UserDirectory(const std::string& path, Missing missing) : path_(path) {
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
  UserDirectory(const UserDirectory&) = delete;
  UserDirectory& operator=(const UserDirectory&) = delete;
  ~UserDirectory() {
    // Only an empty one goes.
    if (made_) ::rmdir(path_.c_str());
  }

  const UniqueFd& fd() const { return fd_; }
  /// Absolute, without links.
  const std::string& full_path() const { return full_path_; }
  void keep() { made_ = false; }

 private:
  std::string path_;
  std::string full_path_;
  UniqueFd fd_;
  bool made_ = false;
};

bool unpluggable(const HostView& host, std::optional<DeviceNumber> device) {
  const auto* there = device_of(host, device);
  return there != nullptr && there->can_unplug;
}

std::string what_next(const std::string& directory, bool has_memory) {
  std::string out = "To go on with it under libvirt: virsh define " + directory + "/domain.xml";
  out += has_memory ? "; virsh restore " + directory + "/guest.save" : "; virsh start the machine";
  return out + ". " + directory + "/README.txt has the rest.";
}

}  // namespace

Task<ExitCode> export_to(Context& context, ExportOptions options) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& capsule = find_capsule(host, options.capsule);
  UserDirectory directory(options.to, UserDirectory::Missing::is_made);
  Dictionary given;
  given["path"] = directory.full_path();
  if (options.chain) given["layout"] = std::string("chain");
  if (options.no_memory) given["memory"] = false;
  if (options.generation != 0) given["generation"] = options.generation;
  auto call = context.client.ask(root_path, manager_interface, "Export",
                                 ObjectPath(path_of(capsule.id)), directory.fd(), given);
  auto reply = co_await std::move(call);
  const auto place = printable(directory.full_path());
  const auto name = "'" + printable(capsule.name) + "'";
  auto running =
      run_job(context, reply.read<ObjectPath>().value, "Exporting " + name + " to " + place);
  std::vector<JobEnd> ends;
  ends.push_back(co_await std::move(running));
  directory.keep();
  const bool has_memory =
      ::faccessat(directory.fd().get(), "guest.save", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  auto looking = context.client.overview();
  const auto after = co_await std::move(looking);
  const bool allowed = unpluggable(after, capsule.device);
  close(context, ends, allowed, name + " is in " + place + ".\n" + what_next(place, has_memory));
  co_return ExitCode::done;
}

Task<ExitCode> import_from(Context& context, ImportOptions options) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& device =
      options.device.empty() ? only_device(host) : find_device(host, options.device);
  const UserDirectory directory(options.from, UserDirectory::Missing::is_refused);
  Dictionary given;
  given["path"] = directory.full_path();
  if (!options.name.empty()) given["name"] = options.name;
  if (!options.uuid.empty()) given["capsule"] = options.uuid;
  if (options.no_memory) given["memory"] = false;
  auto call = context.client.ask(root_path, manager_interface, "Import", directory.fd(),
                                 ObjectPath(path_of(device.number)), given);
  auto reply = co_await std::move(call);
  const auto place = printable(directory.full_path());
  auto running = run_job(context, reply.read<ObjectPath>().value,
                         "Importing " + place + " onto " + printable(device.node));
  std::vector<JobEnd> ends;
  ends.push_back(co_await std::move(running));
  auto looking = context.client.overview();
  const auto after = co_await std::move(looking);
  const bool allowed = unpluggable(after, device.number);
  close(context, ends, allowed,
        place + " is a capsule on " + printable(device.node) +
            " now; the files stay as they are. 'satchelctl launch' lets it go on.");
  co_return ExitCode::done;
}

}  // namespace satchel::cli
