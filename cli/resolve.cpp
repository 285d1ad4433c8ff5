// resolve, rollback, remove: which of its states a machine goes on from, if any.
#include <functional>

#include "commands.hpp"
#include "consent.hpp"
#include "names.hpp"
#include "run_job.hpp"
#include "user_directory.hpp"

namespace satchel::cli {

namespace {

std::string quoted(const CapsuleView& capsule) { return "'" + printable(capsule.name) + "'"; }

/// What of two histories goes, as far as the device tells.
Question giving_up_ours(const CapsuleView& capsule) {
  const auto warning = "This gives up what " + quoted(capsule) + " did on this computer since " +
                       "it was launched here.";
  return {warning, warning + "\n" + printable(capsule.detail) + "\nType 'yes' to give it up: ",
          "Nothing was given up."};
}

using Sentence = std::function<std::string(const HostView& after)>;

/// Sees the job through and closes the command with what is so afterwards.
Task<ExitCode> carry_through(Context& context, CapsuleView capsule, std::string job,
                             std::string begun, Sentence sentence) {
  auto running = run_job(context, std::move(job), std::move(begun));
  std::vector<JobEnd> ends;
  ends.push_back(co_await std::move(running));
  auto looking = context.client.overview();
  const auto after = co_await std::move(looking);
  const auto* now = device_of(after, capsule.device);
  close(context, ends, now == nullptr || now->can_unplug, sentence(after));
  co_return ExitCode::done;
}

std::string closing(const HostView& after, const CapsuleView& capsule, const std::string& choice) {
  const auto name = quoted(capsule);
  if (choice == "keep-both")
    return "What " + name + " did on this computer is a machine of its own on the device now; " +
           "'satchelctl list' shows both.";
  const auto given_up = "What " + name + " did on this computer was given up.";
  if (choice == "discard-ours") return given_up;
  for (const auto& each : after.capsules)
    if (each.id == capsule.id && each.state != "running")
      return given_up + " " + printable(each.detail) + " " + printable(each.next_step);
  return name + " runs here now, as the device had it.";
}

/// Has the session written to the directory, and gives up what is in there then.
Task<ExitCode> export_ours(Context& context, CapsuleView capsule, std::string to) {
  UserDirectory directory(to, UserDirectory::Missing::is_made);
  Dictionary given;
  given["path"] = directory.full_path();
  given["ours"] = true;
  auto call = context.client.ask(root_path, manager_interface, "Export",
                                 ObjectPath(path_of(capsule.id)), directory.fd(), given);
  auto reply = co_await std::move(call);
  const auto place = printable(directory.full_path());
  const auto begun = "Exporting what " + quoted(capsule) + " did here to " + place;
  const Sentence sentence = [&](const HostView&) {
    directory.keep();
    const auto rest = capsule.device ? "; the machine on the device is the only " +
                                           quoted(capsule) + " of this computer now.\n"
                                     : ", and leaves this computer's care.\n";
    return "It is in " + place + rest + how_to_go_on(directory);
  };
  auto carrying = carry_through(context, capsule, reply.read<ObjectPath>().value, begun, sentence);
  co_return co_await std::move(carrying);
}

}  // namespace

Task<ExitCode> resolve(Context& context, ResolveOptions options) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& capsule = find_capsule(host, options.capsule);
  const bool exports = options.choice == "export-ours";
  if (exports == options.to.empty())
    throw Refusal(ExitCode::usage, exports ? "An export needs a directory: --to DIRECTORY."
                                           : "Only export-ours takes a directory.");
  if (exports) {
    auto exporting = export_ours(context, capsule, options.to);
    co_return co_await std::move(exporting);
  }
  if (!options.yes && options.choice != "keep-both")
    ask_for_consent(context, giving_up_ours(capsule));
  auto call = context.client.ask(path_of(capsule.id), capsule_interface, "Resolve", options.choice);
  auto reply = co_await std::move(call);
  const Sentence sentence = [&](const HostView& after) {
    return closing(after, capsule, options.choice);
  };
  auto carrying = carry_through(context, capsule, reply.read<ObjectPath>().value,
                                "Resolving " + quoted(capsule), sentence);
  co_return co_await std::move(carrying);
}

Task<ExitCode> rollback(Context& context, RollbackOptions options) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& capsule = find_capsule(host, options.capsule);
  const auto name = quoted(capsule);
  const auto to = std::to_string(options.generation);
  const auto before = std::to_string(capsule.generation.value);
  const auto warning = "This gives up what " + name + " did since generation " + to +
                       ", once the device keeps that no longer.";
  if (!options.yes)
    ask_for_consent(
        context, {warning,
                  warning + " Until then 'satchelctl rollback' goes back to generation " + before +
                      ".\nType 'yes' to go back: ",
                  "It stays at generation " + before + "."});
  Dictionary given;
  if (options.although_needed) given["although_needed"] = true;
  auto call = context.client.ask(path_of(capsule.id), capsule_interface, "Rollback",
                                 options.generation, given);
  auto reply = co_await std::move(call);
  const Sentence sentence = [&](const HostView&) {
    return name + " is as it was in generation " + to + " again.";
  };
  auto carrying = carry_through(context, capsule, reply.read<ObjectPath>().value,
                                "Taking " + name + " back to generation " + to, sentence);
  co_return co_await std::move(carrying);
}

Task<ExitCode> remove(Context& context, RemoveOptions options) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& capsule = find_capsule(host, options.capsule);
  const auto name = quoted(capsule);
  if (!options.yes)
    ask_for_consent(context,
                    {"This deletes " + name + " from its device, for good.",
                     "This deletes " + name + " from its device, for good: its disks, its " +
                         "memory, all that it was. " + printable(capsule.detail) +
                         "\nType 'yes' to delete it: ",
                     "Nothing was deleted."});
  auto call = context.client.ask(path_of(capsule.id), capsule_interface, "Remove", Dictionary{});
  auto reply = co_await std::move(call);
  const Sentence sentence = [&](const HostView&) { return name + " was deleted from its device."; };
  auto carrying =
      carry_through(context, capsule, reply.read<ObjectPath>().value, "Deleting " + name, sentence);
  co_return co_await std::move(carrying);
}

}  // namespace satchel::cli
