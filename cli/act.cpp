// pack, launch, eject, checkpoint
#include <algorithm>
#include <optional>
#include <ostream>

#include "commands.hpp"
#include "names.hpp"
#include "run_job.hpp"
#include "unplugging.hpp"

namespace satchel::cli {

namespace {

/// Starts a job by a call that answers with it, and sees it through.
Task<JobEnd> carry_out(Context& context, Task<Message> call, std::string begun) {
  auto reply = co_await std::move(call);
  auto running = run_job(context, reply.read<ObjectPath>().value, std::move(begun));
  co_return co_await std::move(running);
}

std::string quoted(const std::string& name) { return "'" + printable(name) + "'"; }

/// The layers of each capsule are merged with its own eject; that of the last one lets the device
/// go.
Task<ExitCode> eject_merging(Context& context, const HostView& host, Target target) {
  std::vector<CapsuleView> capsules;
  if (const auto* capsule = std::get_if<CapsuleView>(&target))
    capsules.push_back(*capsule);
  else
    for (const auto& each : host.capsules)
      if (each.device == std::get<DeviceView>(target).number) capsules.push_back(each);
  std::vector<JobEnd> ends;
  Verdict verdict;
  Dictionary options;
  options["merge"] = true;
  for (const auto& capsule : capsules) {
    auto call = context.client.ask(path_of(capsule.id), capsule_interface, "Eject", options);
    auto carrying = carry_out(context, std::move(call), "Ejecting " + quoted(capsule.name));
    ends.push_back(co_await std::move(carrying));
    auto looking = verdict_on(context, unplugging(host, capsule.device));
    verdict = co_await std::move(looking);
  }
  close(context, ends, verdict.allowed, verdict.sentence);
  co_return ExitCode::done;
}

Task<ExitCode> eject_one(Context& context, const HostView& host, Target target) {
  std::optional<DeviceNumber> device;
  std::string begun = "Ejecting ";
  Dictionary options;
  Task<Message> call = [&] {
    if (const auto* capsule = std::get_if<CapsuleView>(&target)) {
      begun += quoted(capsule->name);
      device = capsule->device;
      return context.client.ask(path_of(capsule->id), capsule_interface, "Eject", options);
    }
    begun += printable(std::get<DeviceView>(target).node);
    device = std::get<DeviceView>(target).number;
    return context.client.ask(path_of(*device), device_interface, "Eject");
  }();
  const auto what = unplugging(host, device);
  auto carrying = carry_out(context, std::move(call), std::move(begun));
  std::vector<JobEnd> ends;
  ends.push_back(co_await std::move(carrying));
  auto looking = verdict_on(context, what);
  const auto verdict = co_await std::move(looking);
  close(context, ends, verdict.allowed, verdict.sentence);
  co_return ExitCode::done;
}

/// Of a machine whose device was pulled out: the job that saves it on this computer, where it is in
/// memory alone and would end with the computer's power. None where it is saved.
Task<std::optional<std::string>> begin_saving(Context& context, CapsuleId capsule) {
  try {
    Dictionary options;
    options["shutdown"] = true;
    auto call = context.client.ask(path_of(capsule), capsule_interface, "Eject", options);
    auto reply = co_await std::move(call);
    co_return reply.read<ObjectPath>().value;
  } catch (const Refusal& refusal) {
    if (refusal.code() != ExitCode::bad_request) throw;
  }
  co_return std::nullopt;
}

/// None: it is saved already. What is being exported is not any more, and asked for again then.
Task<std::optional<JobEnd>> save_here(Context& context, CapsuleView capsule) {
  for (int tries = 0;; ++tries) {
    auto beginning = begin_saving(context, capsule.id);
    const auto job = co_await std::move(beginning);
    if (!job) co_return std::nullopt;
    bool again = false;
    try {
      auto running = run_job(context, *job, "Saving " + quoted(capsule.name) + " here");
      auto end = co_await std::move(running);
      co_return std::optional(std::move(end));
    } catch (const Refusal& refusal) {
      again = refusal.code() == ExitCode::cancelled && tries == 0;
      if (!again) throw;
    }
  }
}

Task<void> save_stranded(Context& context, const HostView& host, std::vector<JobEnd>& ends,
                         std::optional<Refusal>& refused) {
  for (const auto& capsule : host.capsules) {
    if (capsule.state != "stranded" && capsule.state != "detached") continue;
    try {
      auto saving = save_here(context, capsule);
      auto end = co_await std::move(saving);
      if (end) ends.push_back(std::move(*end));
    } catch (const Refusal& refusal) {
      if (refusal.code() == ExitCode::no_daemon || refusal.code() == ExitCode::left_running) throw;
      if (context.output == Output::people)
        context.out << quoted(capsule.name) << ": " << refusal.reason() << '\n';
      refused = refusal;
    }
  }
}

/// One device after another; a failure does not keep the others from being ejected. Whoever has
/// stopped the daemon, or stops the computer with it stopped, does not want it back for that.
Task<ExitCode> eject_all(Context& context) {
  auto finding = context.client.daemon_runs();
  if (!co_await std::move(finding)) {
    close(context, {}, false,
          "satcheld is not running: nothing is ejected. Machines that it left are as they were.");
    co_return ExitCode::done;
  }
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  refuse_while_nothing_works(host);
  std::vector<JobEnd> ends;
  std::optional<Refusal> refused;
  for (const auto& device : host.devices) {
    const auto tell = [&](const std::string& sentence) {
      if (context.output == Output::people)
        context.out << printable(device.node) << ": " << sentence << '\n';
    };
    try {
      auto call = context.client.ask(path_of(device.number), device_interface, "Eject");
      auto carrying = carry_out(context, std::move(call), "Ejecting " + printable(device.node));
      ends.push_back(co_await std::move(carrying));
      auto looking = verdict_on(context, unplugging(host, device.number));
      const auto verdict = co_await std::move(looking);
      tell(verdict.sentence);
    } catch (const Refusal& refusal) {
      if (refusal.code() == ExitCode::no_daemon || refusal.code() == ExitCode::left_running) throw;
      tell(refusal.reason());
      refused = refusal;
    }
  }
  // An eject that could not be made may have left one without its device.
  auto asking_again = context.client.overview();
  const auto left = co_await std::move(asking_again);
  auto saving = save_stranded(context, left, ends, refused);
  co_await std::move(saving);
  if (refused) throw *refused;
  if (host.devices.empty() && ends.empty() && context.output == Output::people)
    context.out << "No device is plugged in.\n";
  if (context.output == Output::json) close(context, ends, true, {});
  co_return ExitCode::done;
}

}  // namespace

Task<ExitCode> pack(Context& context, PackOptions options) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& device =
      options.device.empty() ? only_device(host) : find_device(host, options.device);
  Dictionary given;
  if (!options.name.empty()) given["name"] = options.name;
  auto call = context.client.ask(root_path, manager_interface, "Pack", options.domain,
                                 ObjectPath(path_of(device.number)), given);
  auto carrying =
      carry_out(context, std::move(call),
                "Packing " + quoted(options.domain) + " onto " + printable(device.node));
  std::vector<JobEnd> ends;
  ends.push_back(co_await std::move(carrying));
  auto looking = context.client.overview();
  const bool allowed = unplugging(host, device.number).allowed(co_await std::move(looking));
  close(context, ends, allowed,
        quoted(options.domain) + " is packed on " + printable(device.node) +
            (allowed ? "." : " and runs on. Eject it before you unplug the device."));
  co_return ExitCode::done;
}

Task<ExitCode> launch(Context& context, LaunchOptions options) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& capsule = find_capsule(host, options.capsule);
  Dictionary given;
  if (options.take_over) given["take_over"] = true;
  if (options.this_copy) given["this_copy"] = true;
  if (options.without_device) given["without_device"] = true;
  if (options.start_fresh) given["start_fresh"] = true;
  auto call = context.client.ask(path_of(capsule.id), capsule_interface, "Launch", given);
  auto carrying = carry_out(context, std::move(call), "Launching " + quoted(capsule.name));
  std::vector<JobEnd> ends;
  ends.push_back(co_await std::move(carrying));
  auto looking = context.client.overview();
  const auto now = co_await std::move(looking);
  const bool is_detached = std::ranges::any_of(now.capsules, [&](const auto& each) {
    return each.id == capsule.id && each.state == "detached";
  });
  close(context, ends, is_detached,
        quoted(capsule.name) +
            (is_detached ? " runs here now, without its device: what it does stays on this "
                           "computer until it is plugged in and ejected."
                         : " runs here now. Eject it before you unplug the device."));
  co_return ExitCode::done;
}

Task<ExitCode> eject(Context& context, EjectOptions options) {
  if (options.all) {
    auto ejecting = eject_all(context);
    co_return co_await std::move(ejecting);
  }
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  Target target =
      options.target.empty() ? Target(only_device(host)) : find_target(host, options.target);
  const auto* device = std::get_if<DeviceView>(&target);
  const bool holds_machines =
      device == nullptr || std::ranges::any_of(host.capsules, [&](const auto& capsule) {
        return capsule.device == device->number;
      });
  auto ejecting = options.merge && holds_machines ? eject_merging(context, host, std::move(target))
                                                  : eject_one(context, host, std::move(target));
  co_return co_await std::move(ejecting);
}

Task<ExitCode> checkpoint(Context& context, std::string word) {
  auto asking = context.client.overview();
  const auto host = co_await std::move(asking);
  const auto& capsule = find_capsule(host, word);
  auto call = context.client.ask(path_of(capsule.id), capsule_interface, "Checkpoint");
  auto carrying =
      carry_out(context, std::move(call), "Writing a checkpoint of " + quoted(capsule.name));
  std::vector<JobEnd> ends;
  ends.push_back(co_await std::move(carrying));
  close(context, ends, false,
        quoted(capsule.name) + " is on its device as it was just now; it goes on running.");
  co_return ExitCode::done;
}

}  // namespace satchel::cli
