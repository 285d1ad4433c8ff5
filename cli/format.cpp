// format: shows what would be destroyed, asks, and has it done.
#include <optional>
#include <ostream>

#include "commands.hpp"
#include "consent.hpp"
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
  if (!options.yes)
    ask_for_consent(context, {"Formatting destroys what is on " + options.node + ".",
                              "All that is on this device will be destroyed:\n" +
                                  describe(*volume) + "Type 'yes' to destroy it: ",
                              "Nothing was formatted."});
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
