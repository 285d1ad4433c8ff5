#include "runtime/host.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/sentences.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace asio = boost::asio;

Host::Host(Parts& parts, std::string version)
    : parts_(parts),
      libvirt_back_(parts.loop),
      devices_(parts, Devices::Hooks{
                          [this](core::Insertion insertion, CapsuleId capsule) {
                            capsule_seen(insertion, capsule);
                          },
                          [this](core::Insertion insertion) {
                            parts_.readers->stop_on(insertion);
                            removals_failed_.erase(
                                DeviceNumber(static_cast<std::uint32_t>(insertion.value)));
                            for (const auto& each : capsules_on(insertion))
                              each->deliver(core::DeviceGone{insertion});
                            look_at_copies();
                          },
                          [this](core::Insertion insertion, std::optional<CapsuleId> asking) {
                            return in_use(insertion, asking);
                          },
                          [this](core::Insertion insertion) {
                            const auto number = devices_.number_of(insertion);
                            return std::ranges::any_of(view_.running_jobs, [&](const auto& job) {
                              return job.device == number;
                            });
                          },
                          [this](core::Insertion insertion) {
                            for (const auto& each : capsules_on(insertion))
                              each->deliver(core::DeviceReleased{insertion});
                          },
                          [this](const RemovalRequest& request, DeviceNumber device) {
                            removal_wanted(request, device);
                          },
                          [this] { changed(); }}),
      board_(parts.loop, JobBoard::Hooks{[this] { changed(); },
                                         [this](const JobEnd& end) {
                                           refresh();
                                           if (listener_.job_ended) listener_.job_ended(end);
                                         },
                                         [this] { look_at_silence(); }}),
      room_(parts, HostRoom::Hooks{[this] { return view_.sessions > 0; }, [this] { changed(); }}) {
  view_.version = std::move(version);
  view_.host_id = parts.key.public_key().host_id().value.str();
  view_.host_name = parts.host_name;
  view_.fingerprint = parts.key.public_key().fingerprint();
}

void Host::look_at_silence() {
  const auto now = std::chrono::steady_clock::now();
  const auto patience = parts_.config.device.patience;
  const auto busy = board_.devices();
  for (const auto& view : devices_.views()) {
    const core::Insertion insertion(view.number.value);
    if (!busy.contains(view.number)) {
      devices_.look_away(insertion);
      continue;
    }
    if (devices_.look_at_silence(insertion, now) < patience) continue;
    const Fault why(
        Remedy::retry,
        Fault::Text{"use", view.node,
                    "it has not answered for " + std::to_string(patience.count()) + " seconds",
                    "Pull it out and plug it in again, in another port if it does "
                    "this again. Nothing that was told to be on it is lost."});
    bool is_news = false;
    for (const auto job : board_.on(view.number)) is_news = board_.give_up(job, why) || is_news;
    if (!is_news) continue;
    parts_.readers->stop_on(insertion);
    parts_.log.warning(std::string(why.what()) +
                       ": what was begun on it is given up as soon as it lets go");
  }
}

std::shared_ptr<CapsuleRunner> Host::known(CapsuleId capsule) const {
  const auto found = capsules_.find(capsule);
  if (found == capsules_.end()) refuse_while_waiting("find capsule", capsule.value.str());
  if (found == capsules_.end())
    throw Fault(Remedy::fix_request,
                Fault::Text{"find capsule", capsule.value.str(), "this host does not know it", {}});
  return found->second;
}

std::shared_ptr<CapsuleRunner> Host::runner(CapsuleId capsule) {
  auto& slot = capsules_[capsule];
  if (!slot)
    slot = std::make_shared<CapsuleRunner>(
        CapsuleRunner::Surroundings{parts_, board_, devices_, [this] { changed(); },
                                    [this](core::Insertion insertion, CapsuleId asking) {
                                      return end_upkeep(insertion, asking);
                                    },
                                    [this](core::Insertion insertion, format::SignedHead head) {
                                      came_up(insertion, std::move(head));
                                    },
                                    [this] {
                                      asio::co_spawn(parts_.loop, look_at_guests(LookAt::unclaimed),
                                                     asio::detached);
                                    }},
        capsule);
  return slot;
}

void Host::came_up(core::Insertion insertion, format::SignedHead head) {
  const auto made = runner(head.head.capsule);
  made->packed(insertion, std::move(head), std::nullopt, std::nullopt);
  // It may have been pulled within the last step, when nobody knew this capsule yet.
  if (!devices_.stick(insertion)) made->deliver(core::DeviceGone{insertion});
  devices_.look_at_space(insertion);
}

std::vector<std::shared_ptr<CapsuleRunner>> Host::capsules_on(core::Insertion insertion) const {
  std::vector<std::shared_ptr<CapsuleRunner>> out;
  for (const auto& [id, capsule] : capsules_)
    if (core::device_of(capsule->state()) == insertion) out.push_back(capsule);
  return out;
}

bool Host::in_use(core::Insertion insertion, std::optional<CapsuleId> asking) const {
  for (const auto& capsule : capsules_on(insertion))
    if (capsule->is_unasked() || (capsule->id() != asking && !core::can_unplug(capsule->state())))
      return true;
  if (held_.contains(insertion)) return true;
  for (const auto& job : view_.running_jobs)
    if (job.operation == "pack" && job.device == devices_.number_of(insertion)) return true;
  return false;
}

core::Insertion Host::insertion_of(DeviceNumber device) const {
  refuse_while_waiting("use device", std::to_string(device.value));
  const auto insertion = devices_.insertion_of(device);
  if (!insertion)
    throw Fault(
        Remedy::replug,
        Fault::Text{"use device", std::to_string(device.value), "it is not plugged in", {}});
  return *insertion;
}

void Host::changed() {
  if (std::exchange(refresh_due_, true)) return;
  asio::post(parts_.loop, [this] { refresh(); });
}

void Host::refresh() {
  refresh_due_ = false;
  view_.running_jobs = board_.views();
  view_.devices = devices_.views();
  view_.jobs = static_cast<std::uint32_t>(view_.running_jobs.size());
  view_.capsules.clear();
  const auto sessions_before = std::exchange(view_.sessions, 0);
  for (const auto& [id, capsule] : capsules_) {
    // One that is neither here nor has anything of ours is nobody's concern.
    if (std::holds_alternative<core::Absent>(capsule->state())) continue;
    view_.capsules.push_back(capsule->view());
    if (const auto* synced = parts_.syncs->last(id))
      view_.capsules.back().last_sync = {synced->time, synced->generation, synced->message};
    if (!capsule->domain()) continue;
    ++view_.sessions;
    if (room_.shortage().empty()) continue;
    auto& shown = view_.capsules.back();
    shown.detail += (shown.detail.empty() ? "" : " ") + room_.shortage();
    if (shown.next_step.empty()) shown.next_step = HostRoom::next_step();
  }
  if (view_.sessions != sessions_before) room_.look();
  for (auto& device : view_.devices) {
    if (const auto said = said_of(core::Insertion(device.number.value)); !said.empty())
      device.detail += (device.detail.empty() ? "" : " ") + said;
    for (const auto& job : view_.running_jobs)
      if (job.device == device.number) device.can_unplug = false;
    for (const auto& capsule : view_.capsules)
      if (capsule.device == device.number && !capsule.can_unplug) device.can_unplug = false;
  }
  devices_.share_drives(view_.devices);
  // A capsule at rest is no better off than what else is on its device.
  for (const auto& device : view_.devices)
    for (auto& capsule : view_.capsules)
      if (capsule.device == device.number && !device.can_unplug) capsule.can_unplug = false;
  for (const auto& capsule : view_.capsules)
    if (capsule.can_unplug) known(capsule.id)->tell_when_free();
  if (listener_.changed) listener_.changed();
  if (auto now = saving_sentence(view_); now != saving_ && saving_listener_) {
    saving_ = std::move(now);
    saving_listener_(saving_);
  }
  if (auto now = status_sentence(view_); now != status_ && status_listener_) {
    status_ = std::move(now);
    status_listener_(status_);
  }
  const bool rested = std::exchange(rests_, board_.size() == 0);
  if (rests_ && !rested && rest_listener_) rest_listener_();
  sync_by_itself();
}

void Host::tell_saving(std::function<void(const std::string&)> listener) {
  saving_listener_ = std::move(listener);
  saving_.clear();
  changed();
}

void Host::tell_status(std::function<void(const std::string&)> listener) {
  status_listener_ = std::move(listener);
  status_.clear();
  changed();
}

}  // namespace satchel
