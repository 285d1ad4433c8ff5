// export and import: the directory is opened here, as the user, and only its descriptor is passed.
#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <ostream>

#include "commands.hpp"
#include "names.hpp"
#include "run_job.hpp"
#include "user_directory.hpp"

namespace satchel::cli {

namespace {

bool unpluggable(const HostView& host, std::optional<DeviceNumber> device) {
  const auto* there = device_of(host, device);
  return there != nullptr && there->can_unplug;
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
  auto looking = context.client.overview();
  const auto after = co_await std::move(looking);
  const bool allowed = unpluggable(after, capsule.device);
  close(context, ends, allowed, name + " is in " + place + ".\n" + how_to_go_on(directory));
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
