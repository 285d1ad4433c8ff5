// Ejects: of one capsule, and of a device with all that is on it, as a person or a file manager
// asks.
#include <chrono>
#include <exception>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/host.hpp"

namespace satchel {

namespace {

/// A file manager that finds it busy asks on every two seconds, and each failed eject stops the
/// guest for a moment.
constexpr auto after_a_failed_removal = std::chrono::seconds(20);

}  // namespace

JobId Host::eject(CapsuleId capsule, Layers layers, Occasion occasion) {
  if (const auto insertion = core::device_of(known(capsule)->state()))
    parts_.readers->stop_on(*insertion);
  core::EjectAsked event;
  if (occasion == Occasion::shutdown) event.by = core::Requester::host_shutdown;
  if (layers == Layers::merge) event.merge = core::MergeToo::yes;
  const auto* ready = std::get_if<core::Ready>(&known(capsule)->state());
  const bool is_to_stay = ready != nullptr && ready->found.lacks.has_value();
  const auto job = known(capsule)->ask(event);
  if (layers == Layers::merge && is_to_stay)
    board_.remark(job,
                  "Its layers are not merged: generations that this computer has seen are missing "
                  "or damaged on this device, so what is on it is left as it is. To merge it all "
                  "the same, plug it in again and use: satchelctl merge --although-needed.");
  return job;
}

JobId Host::eject_device(DeviceNumber device) {
  parts_.readers->stop_on(insertion_of(device));
  return begin({"eject", std::nullopt, device}, [this, device](JobContext job) {
    return eject_device_job(std::move(job), device, core::Requester::person);
  });
}

void Host::removal_wanted(const RemovalRequest& request, DeviceNumber device) {
  const auto asked = "asked to let go of " + request.node + " (" + request.operation + ")";
  for (const auto& job : board_.views()) {
    if (job.operation != "eject" || job.capsule || job.device != device) continue;
    // A file manager asks every two seconds until it is unmounted.
    parts_.log.debug(asked + "; that is under way");
    return;
  }
  const auto failed = removals_failed_.find(device);
  if (failed != removals_failed_.end() && in_use(insertion_of(device), std::nullopt) &&
      std::chrono::steady_clock::now() - failed->second < after_a_failed_removal) {
    parts_.log.debug(asked + "; that failed a moment ago");
    return;
  }
  parts_.log.info(asked);
  begin({"eject", std::nullopt, device},
        [this, device](JobContext job) { return removal_job(std::move(job), device); });
}

Task<void> Host::removal_job(JobContext job, DeviceNumber device) {
  removals_failed_.erase(device);
  std::exception_ptr failure;
  try {
    auto ejecting = eject_device_job(std::move(job), device, core::Requester::desktop);
    co_await std::move(ejecting);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  removals_failed_[device] = std::chrono::steady_clock::now();
  std::rethrow_exception(failure);
}

Task<void> Host::eject_device_job(JobContext job, DeviceNumber device, core::Requester by) {
  const auto insertion = insertion_of(device);
  // One that was just plugged in is being mounted: it is let go of after that, not before.
  auto looking = devices_.looked_at(insertion);
  co_await std::move(looking);
  std::vector<JobId> ejects;
  for (const auto& capsule : capsules_on(insertion))
    if (!core::can_unplug(capsule->state())) ejects.push_back(capsule->ask(core::EjectAsked{by}));
  for (const auto& eject : ejects) {
    board_.follow(job.id, eject);
    auto waiting = board_.wait(eject);
    const auto end = co_await std::move(waiting);
    if (end.result != "done")
      throw Fault(Remedy::retry, Fault::Text{"let go of", "the device", end.message,
                                             "Do not unplug it yet; see satchelctl status."});
  }
  if (!devices_.stick(insertion)) co_return;
  job.meter->name("unmounting");
  auto releasing = devices_.release(insertion, std::nullopt, letting_go(parts_.config, by));
  if (co_await std::move(releasing) == core::DeviceUse::kept)
    throw Fault(Remedy::retry, Fault::Text{"let go of", "the device", "it is in use again", {}});
}

}  // namespace satchel
