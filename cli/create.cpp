// create: a capsule of a machine that was none before
#include "create.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ostream>

#include "base/fault.hpp"
#include "disk/image_format.hpp"
#include "disk/qemu_call.hpp"
#include "json.hpp"
#include "names.hpp"
#include "osinfo/systems.hpp"
#include "run_job.hpp"

namespace satchel::cli {

namespace {

std::string in_quotes(const std::string& name) { return "'" + printable(name) + "'"; }

UniqueFd open_file(const std::string& path) {
  UniqueFd out(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (out) return out;
  const int error = errno;
  const auto fault = disk::of_either_disk(fault_from_errno(error, "open", in_quotes(path)));
  if (fault.remedy() != Remedy::report_bug) throw Refusal(fault);
  throw Refusal(ExitCode::not_found, std::string(fault.what()) + ".",
                "Look whether that is the name of the image.");
}

/// The image's format: as it was said, else as its magic says.
std::string format_of(const CreateOptions& options, const UniqueFd& file) {
  if (!options.format.empty()) return options.format;
  const auto found = disk::recognise(file.get());
  if (!found)
    throw Refusal(ExitCode::bad_request,
                  in_quotes(options.disk) + " can't be used: " + found.error().front().what + ".",
                  "If it is a plain disk all the same, say so: --format raw");
  return std::string(disk::name(*found));
}

/// Before anybody is asked for a password.
void check(const CreateOptions& options, const UniqueFd& file, const std::string& format) {
  const auto wrong = disk::check_image(file.get(), *disk::image_format(format));
  if (!wrong.empty())
    throw Refusal(ExitCode::bad_request,
                  in_quotes(options.disk) + " can't be used: " + wrong.front().what + ".");
}

void add_disk(const CreateOptions& options, const std::optional<osinfo::Advice>& advice,
              Creation& out) {
  if (!options.disk.empty()) {
    auto file = open_file(options.disk);
    const auto format = format_of(options, file);
    check(options, file, format);
    out.options["format"] = format;
    out.sentences.push_back(in_quotes(options.disk) + " is " +
                            (format == "raw" ? "a raw" : "a " + format) + " image.");
    out.files.emplace("disk", std::move(file));
    return;
  }
  const auto size = options.size != 0               ? std::optional(ByteCount(options.size))
                    : advice && options.cdrom != "" ? advice->storage
                                                    : std::nullopt;
  if (!size)
    throw Refusal(ExitCode::usage, "The machine needs a disk.",
                  "Give an image (--disk FILE), or the size of an empty one (--size 20GiB).");
  out.options["size"] = size->value;
  if (options.size == 0)
    out.sentences.push_back("Its disk has " + to_string(*size) + ", as is recommended.");
}

void add_devices(const osinfo::Advice& advice, Dictionary& given) {
  given["disk_bus"] = advice.disk_bus;
  given["network"] = advice.network;
  given["video"] = advice.video;
  given["clock"] = advice.clock;
  given["devices"] = advice.devices;
}

void add_resources(const CreateOptions& options, const std::optional<osinfo::Advice>& advice,
                   Creation& out) {
  const auto memory = options.memory != 0 ? options.memory : advice ? advice->memory.value : 0;
  const auto cpus = options.cpus != 0 ? options.cpus : advice ? advice->cpus : 0;
  if (memory != 0) out.options["memory"] = std::uint64_t{memory};
  if (cpus != 0) out.options["cpus"] = static_cast<std::uint32_t>(cpus);
  if (advice && options.memory == 0)
    out.sentences.push_back("It gets " + to_string(advice->memory) + " of memory.");
}

Refusal unknown(const osinfo::Systems& systems, const std::string& id) {
  std::string next;
  for (const auto& each : systems.near(id)) next += (next.empty() ? "Perhaps " : ", ") + each;
  if (!next.empty()) next += ". ";
  return Refusal(ExitCode::not_found, "libosinfo knows no system " + in_quotes(id) + ".",
                 next + "All of them: satchelctl create --os list");
}

/// What the machine is for: as it was said, else as the CD's label says.
std::optional<osinfo::System> system_of(const CreateOptions& options, Context& context) {
  if (options.os.empty() && options.cdrom.empty()) return std::nullopt;
  if (options.os.empty()) {
    try {
      const osinfo::Systems systems;
      const auto id = systems.on_medium(options.cdrom);
      if (!id) return std::nullopt;
      auto found = systems.find(*id);
      if (found && context.output == Output::people)
        context.out << "The CD is of " << printable(found->name) << " (--os " << *id << ").\n";
      return found;
    } catch (const Fault&) {
      return std::nullopt;  // nobody asked for it
    }
  }
  const osinfo::Systems systems;
  auto found = systems.find(options.os);
  if (!found) throw unknown(systems, options.os);
  return found;
}

void list_systems(Context& context) {
  const osinfo::Systems systems;
  if (context.output == Output::json) {
    context.out << json_of_systems(systems.all());
    return;
  }
  Table table({{"OS"}, {"NAME", Table::Align::left, Table::Fit::shrink}});
  for (const auto& [id, name] : systems.all()) table.add({printable(id), printable(name)});
  context.out << table.render(context.screen);
}

}  // namespace

osinfo::Means means_of_host() {
  osinfo::Means out;
  const auto pages = ::sysconf(_SC_PHYS_PAGES);
  const auto size = ::sysconf(_SC_PAGESIZE);
  const auto cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
  if (pages > 0 && size > 0)
    out.memory = ByteCount(static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(size));
  if (cpus > 0) out.cpus = static_cast<std::uint64_t>(cpus);
  return out;
}

Creation plan_creation(const CreateOptions& options, const std::optional<osinfo::Advice>& advice) {
  Creation out;
  if (advice) {
    add_devices(*advice, out.options);
    for (const auto& note : advice->notes) out.sentences.push_back(note);
  }
  add_disk(options, advice, out);
  add_resources(options, advice, out);
  if (!options.cdrom.empty()) out.files.emplace("cdrom", open_file(options.cdrom));
  if (!options.network.empty())
    out.options["network"] = options.network == "none" ? std::string() : options.network;
  if (!options.firmware.empty()) out.options["firmware"] = options.firmware;
  if (options.launch) out.options["launch"] = true;
  return out;
}

Task<ExitCode> create(Context& context, CreateOptions options) {
  if (options.os == "list") {
    list_systems(context);
    co_return ExitCode::done;
  }
  if (options.name.empty())
    throw Refusal(ExitCode::usage, "The capsule needs a name.",
                  "satchelctl create NAME --disk FILE");
  const auto system = system_of(options, context);
  std::optional<osinfo::Advice> advice;
  if (system) advice = osinfo::advise(*system, means_of_host());
  const auto creation = plan_creation(options, advice);

  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& device =
      options.device.empty() ? only_device(host) : find_device(host, options.device);
  if (context.output == Output::people)
    for (const auto& sentence : creation.sentences) context.out << sentence << '\n';
  auto call =
      context.client.ask(root_path, manager_interface, "Create", options.name,
                         ObjectPath(path_of(device.number)), creation.files, creation.options);
  auto reply = co_await std::move(call);
  auto running = run_job(context, reply.read<ObjectPath>().value,
                         "Creating " + in_quotes(options.name) + " on " + printable(device.node));
  std::vector<JobEnd> ends;
  ends.push_back(co_await std::move(running));
  auto looking = context.client.overview();
  const auto after = co_await std::move(looking);
  const auto* still = device_of(after, device.number);
  const auto name = in_quotes(options.name);
  close(context, ends, still != nullptr && still->can_unplug,
        options.launch
            ? name + " runs here now. Eject it before you unplug the device."
            : name + " is on " + printable(device.node) + ". Start it: satchelctl launch " + name);
  co_return ExitCode::done;
}

}  // namespace satchel::cli
