// status, list, show
#include <algorithm>
#include <ostream>

#include "commands.hpp"
#include "json.hpp"
#include "names.hpp"
#include "progress.hpp"

namespace satchel::cli {

namespace {

using Align = Table::Align;
using Fit = Table::Fit;

Tone tone_of(const std::string& state) {
  if (state == "running" || state == "safe") return Tone::good;
  if (state == "failed" || state == "diverged" || state == "stranded") return Tone::bad;
  if (state == "untrusted" || state == "locked" || state == "ejecting" || state == "merging" ||
      state == "folding" || state == "compacting" || state == "detached")
    return Tone::warning;
  return state == "absent" ? Tone::faint : Tone::plain;
}

Table::Cell unplug(bool can) {
  return can ? Table::Cell("yes", Tone::good) : Table::Cell("no", Tone::warning);
}

std::string last(const CapsuleView& capsule) {
  if (capsule.last_time.value == 0) return "-";
  return printable(capsule.last_host) + ", " + local_time(capsule.last_time);
}

std::string count(std::uint64_t n, const std::string& one, const std::string& many) {
  if (n == 0) return "no " + many;
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

Table device_table(const HostView& host) {
  Table table({{"DEVICE"},
               {"LABEL", Align::left, Fit::shrink},
               {"FILESYSTEM", Align::left, Fit::leave_out},
               {"SIZE", Align::right},
               {"FREE", Align::right},
               {"MOUNTED AT", Align::left, Fit::shrink},
               {"UNPLUG"}});
  for (const auto& device : host.devices)
    table.add({printable(device.node), or_dash(printable(device.label)),
               or_dash(printable(device.fs_type)) + (device.read_only ? ", read-only" : ""),
               to_string(device.size), device.mount_point.empty() ? "-" : to_string(device.free),
               or_dash(printable(device.mount_point)), unplug(device.can_unplug)});
  return table;
}

/// "merge, fold"
std::string due(const CapsuleView& capsule) {
  std::string out;
  for (const auto& each : capsule.due) out += (out.empty() ? "" : ", ") + printable(each);
  return out;
}

/// "12 MiB of 96 MiB, merge due"
std::string changes(const CapsuleView& capsule) {
  const auto size = capsule.cow_size + capsule.layers_size;
  if (size.value == 0) return "-";
  auto out = to_string(size);
  if (capsule.cow_limit.value) out += " of " + to_string(capsule.cow_limit);
  return capsule.due.empty() ? out : out + ", " + due(capsule) + " due";
}

Table capsule_table(const HostView& host) {
  Table table({{"CAPSULE", Align::left, Fit::shrink},
               {"STATE"},
               {"DEVICE"},
               {"GENERATION", Align::right, Fit::leave_out},
               {"CHANGES", Align::left, Fit::leave_out},
               {"LAST WRITTEN BY", Align::left, Fit::shrink},
               {"UNPLUG"}});
  for (const auto& capsule : host.capsules) {
    const auto* device = device_of(host, capsule.device);
    table.add({printable(capsule.name),
               Table::Cell(printable(capsule.state), tone_of(capsule.state)),
               device ? printable(device->node) : "-",
               capsule.generation.value ? std::to_string(capsule.generation.value) : "-",
               changes(capsule), last(capsule), unplug(capsule.can_unplug)});
  }
  return table;
}

Table job_table(const HostView& host) {
  Table table({{"JOB", Align::right}, {"OPERATION"}, {"PROGRESS", Align::left, Fit::shrink}});
  for (const auto& job : host.running_jobs)
    table.add({std::to_string(job.id.value), printable(job.operation), progress_line(job, 60)});
  return table;
}

std::string device_remarks(const HostView& host, const Screen& screen) {
  std::string out;
  for (const auto& device : host.devices)
    if (!device.detail.empty())
      out += "\n" +
             wrapped(printable(device.node) + ": " + printable(device.detail), screen.width, 0, 2) +
             "\n";
  return out;
}

/// Of one without capsules, what is to be known is why it can't be used.
bool has_usable_device(const HostView& host) {
  return std::any_of(host.devices.begin(), host.devices.end(),
                     [](const auto& device) { return device.detail.empty(); });
}

std::string remarks(const HostView& host, const Screen& screen) {
  auto out = device_remarks(host, screen);
  for (const auto& capsule : host.capsules) {
    if (capsule.detail.empty() && capsule.next_step.empty()) continue;
    out += "\n" +
           wrapped(printable(capsule.name) + ": " + printable(capsule.detail), screen.width, 0, 2) +
           "\n";
    if (!capsule.next_step.empty())
      out += "  " + wrapped(printable(capsule.next_step), screen.width, 2, 2) + "\n";
  }
  return out;
}

std::string fields(const std::vector<std::pair<std::string, std::string>>& pairs,
                   const Screen& screen) {
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (value.empty()) continue;
    out += toned(name + ":", Tone::faint, screen) + std::string(18 - name.size(), ' ') +
           wrapped(value, screen.width, 19, 19) + "\n";
  }
  return out;
}

std::string bytes(ByteCount size) { return size.value ? to_string(size) : std::string(); }
std::string speed(std::uint64_t rate) {
  return rate ? to_string(ByteCount(rate)) + "/s" : std::string();
}

std::string describe(const DeviceView& device, const Screen& screen) {
  return fields({{"Device", printable(device.node)},
                 {"Number", std::to_string(device.number.value)},
                 {"Label", printable(device.label)},
                 {"Model", printable(device.model)},
                 {"Filesystem", printable(device.fs_type)},
                 {"UUID", printable(device.fs_uuid)},
                 {"Mounted at", printable(device.mount_point)},
                 {"Size", to_string(device.size)},
                 {"Free", device.mount_point.empty() ? std::string() : to_string(device.free)},
                 {"Encrypted", device.encrypted ? "yes" : ""},
                 {"Read-only", device.read_only ? "yes" : ""},
                 {"Reads at", speed(device.read_speed)},
                 {"Writes at", speed(device.write_speed)},
                 {"Can be unplugged", device.can_unplug ? "yes" : "no"},
                 {"Detail", printable(device.detail)}},
                screen);
}

Table history_table(const CapsuleView& capsule) {
  Table table({{"GENERATION", Align::right},
               {"HOST", Align::left, Fit::shrink},
               {"TIME"},
               {"WHAT", Align::left, Fit::shrink},
               {"RESTORABLE"}});
  for (auto each = capsule.history.rbegin(); each != capsule.history.rend(); ++each)
    table.add({std::to_string(each->seq.value), printable(each->host_name), local_time(each->time),
               printable(each->what), each->restorable ? "yes" : ""});
  return table;
}

std::string describe(const HostView& host, const CapsuleView& capsule, const Screen& screen) {
  const auto* device = device_of(host, capsule.device);
  auto out = fields(
      {{"Capsule", printable(capsule.name)},
       {"UUID", capsule.id.value.str()},
       {"State", printable(capsule.state)},
       {"Detail", printable(capsule.detail)},
       {"Next step", printable(capsule.next_step)},
       {"Device", device ? printable(device->node) : "not plugged in"},
       {"Domain", printable(capsule.domain)},
       {"Generation", capsule.generation.value ? std::to_string(capsule.generation.value) +
                                                     (capsule.has_memory ? ", resumes" : ", boots")
                                               : std::string()},
       {"Last written by", capsule.last_time.value ? last(capsule) : std::string()},
       {"Checked out by", printable(capsule.checked_out_by)},
       {"Memory", bytes(capsule.memory_size)},
       {"Hibernation file", bytes(capsule.hibernation_size)},
       {"Image files", bytes(capsule.image_size)},
       {"COW files",
        bytes(capsule.cow_size) +
            (capsule.cow_limit.value ? " of at most " + to_string(capsule.cow_limit) : "")},
       {"Layers", capsule.layers
                      ? std::to_string(capsule.layers) + ", " + to_string(capsule.layers_size)
                      : std::string()},
       {"Due", due(capsule)},
       {"Last sync", capsule.last_sync.time.value ? local_time(capsule.last_sync.time) + ", " +
                                                        printable(capsule.last_sync.message)
                                                  : std::string()},
       {"Can be unplugged", capsule.can_unplug ? "yes" : "no"}},
      screen);
  if (capsule.history.empty()) return out;
  return out + "\n" + history_table(capsule).render(screen);
}

}  // namespace

Task<ExitCode> status(Context& context) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  if (context.output == Output::json) {
    context.out << json_of(host);
    co_return ExitCode::done;
  }
  context.out << wrapped("Host " + printable(host.host_name) + ", satcheld " +
                             printable(host.version) + ", " +
                             (host.hypervisor.empty() ? "no hypervisor: see 'satchelctl doctor'"
                                                      : printable(host.hypervisor)) +
                             ", " + count(host.sessions, "machine running", "machines running") +
                             ".",
                         context.screen.width, 0, 2)
              << "\n\n";
  if (!host.detail.empty())
    context.out << wrapped(printable(host.detail), context.screen.width, 0, 0) << "\n";
  else if (host.devices.empty())
    context.out << "No device is plugged in.\n";
  else
    context.out << device_table(host).render(context.screen);
  if (!host.capsules.empty()) context.out << "\n" << capsule_table(host).render(context.screen);
  context.out << remarks(host, context.screen);
  if (host.capsules.empty() && has_usable_device(host))
    context.out << "\nNo capsule yet; 'satchelctl pack MACHINE' makes one.\n";
  if (!host.running_jobs.empty()) context.out << "\n" << job_table(host).render(context.screen);
  co_return ExitCode::done;
}

Task<ExitCode> list(Context& context, std::string kind) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  if (context.output == Output::json) {
    context.out << json_of_list(host, kind);
    co_return ExitCode::done;
  }
  const auto table = kind == "devices" ? device_table(host)
                     : kind == "jobs"  ? job_table(host)
                                       : capsule_table(host);
  if (table.empty() && !host.detail.empty())
    context.out << wrapped(printable(host.detail), context.screen.width, 0, 0) << "\n";
  else if (table.empty())
    context.out << "No " << kind << ".\n";
  else
    context.out << table.render(context.screen);
  co_return ExitCode::done;
}

Task<ExitCode> show(Context& context, std::string word) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto target = find_target(host, word);
  const bool json = context.output == Output::json;
  if (const auto* capsule = std::get_if<CapsuleView>(&target))
    context.out << (json ? json_of(host, *capsule) : describe(host, *capsule, context.screen));
  else if (const auto* device = std::get_if<DeviceView>(&target))
    context.out << (json ? json_of(*device) : describe(*device, context.screen));
  co_return ExitCode::done;
}

Task<ExitCode> history(Context& context, std::string word) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& capsule = find_capsule(host, word);
  if (context.output == Output::json)
    context.out << json_of_history(capsule);
  else if (capsule.history.empty())
    context.out << "Nothing is known of it here; plug its device in.\n";
  else
    context.out << history_table(capsule).render(context.screen);
  co_return ExitCode::done;
}

}  // namespace satchel::cli
