// format: shows what would be destroyed, asks, and has it done.
#include <istream>
#include <optional>
#include <ostream>

#include "commands.hpp"
#include "run_job.hpp"
#include "udisks/volumes.hpp"

namespace satchel::cli {

namespace {

std::string describe(const Volume& volume) {
  const auto or_none = [](const std::string& text) {
    return text.empty() ? "none" : printable(text);
  };
  std::string out = "  node        " + printable(volume.node) + "\n";
  if (!volume.model.empty()) out += "  model       " + printable(volume.model) + "\n";
  if (!volume.serial.empty()) out += "  serial      " + printable(volume.serial) + "\n";
  out += "  size        " + to_string(volume.size) + "\n";
  out += "  filesystem  " + or_none(volume.fs_type) + "\n";
  out += "  label       " + or_none(volume.label) + "\n";
  for (const auto& point : volume.mount_points) out += "  mounted at  " + printable(point) + "\n";
  if (volume.system && !volume.removable)
    out += "  NOTE        this counts as a fixed disk of this computer\n";
  return out;
}

/// Only "yes", written out, is consent.
bool agrees(Context& context) {
  context.out << "Type 'yes' to destroy it: " << std::flush;
  std::string answer;
  std::getline(context.in, answer);
  return answer == "yes";
}

}  // namespace

Task<ExitCode> format(Context& context, FormatOptions options) {
  std::optional<Volume> volume;
  {
    UDisksVolumes volumes(context.client.bus());
    auto finding = volumes.find(options.node);
    volume = co_await std::move(finding);
  }
  if (!volume)
    throw Refusal(ExitCode::not_found,
                  "There is no block device '" + printable(options.node) + "'.",
                  "'lsblk' lists them.");
  if (!options.yes) {
    if (context.input == Context::Input::none || context.output == Output::json)
      throw Refusal(ExitCode::usage, "Formatting destroys what is on " + options.node + ".",
                    "Give --yes when that is what you want.");
    context.out << "All that is on this device will be destroyed:\n" << describe(*volume);
    if (!agrees(context)) throw Refusal(ExitCode::cancelled, "Nothing was formatted.");
  }
  Dictionary given;
  given["fs"] = options.fs_type;
  given["label"] = options.label;
  auto asking = context.client.ask(root_path, manager_interface, "Format", volume->node, given);
  auto reply = co_await std::move(asking);
  auto running =
      run_job(context, reply.read<ObjectPath>().value, "Formatting " + printable(volume->node));
  std::vector<JobEnd> ends;
  ends.push_back(co_await std::move(running));
  close(context, ends, true,
        printable(volume->node) + " holds an empty " + options.fs_type + " filesystem '" +
            printable(options.label) + "' now; 'satchelctl pack MACHINE' puts a machine on it.");
  co_return ExitCode::done;
}

}  // namespace satchel::cli
