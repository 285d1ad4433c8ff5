// What people ask of the host, and the jobs that are the host's rather than one capsule's.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/host.hpp"
#include "runtime/jobs/pack.hpp"
#include "runtime/known_hosts.hpp"
#include "runtime/messages.hpp"

namespace satchel {

namespace asio = boost::asio;

namespace {

Fault not_yet(std::string what, std::string object) {
  return Fault(
      Remedy::later_version,
      Fault::Text{std::move(what), std::move(object), "this version of Satchel can't do it", {}});
}

/// At rest and nobody's session: also one that an interrupted pack left, which can't be read.
void check_removable(const CapsuleRunner& runner) {
  const auto& state = runner.state();
  const auto* failed = std::get_if<core::Failed>(&state);
  if (std::holds_alternative<core::Ready>(state) || (failed != nullptr && !failed->ours)) return;
  const bool is_safe = std::holds_alternative<core::Safe>(state);
  throw Fault(Remedy::fix_request,
              Fault::Text{"remove", runner.view().name, "it is " + std::string(core::name(state)),
                          is_safe ? "Its device was let go of: pull it out and plug it in again."
                                  : "Only a capsule at rest can be removed: eject it first."});
}

}  // namespace

JobId Host::begin(JobBoard::Subject subject, Work work) {
  auto job = board_.begin(subject);
  const auto id = job.id;
  asio::co_spawn(parts_.loop, conduct(std::move(job), std::move(work), std::move(subject)),
                 asio::detached);
  return id;
}

Task<void> Host::conduct(JobContext job, Work work, JobBoard::Subject subject) {
  std::optional<Fault> fault;
  try {
    auto working = work(job);
    co_await std::move(working);
  } catch (const Fault& failure) {
    fault = failure;
  } catch (const std::exception& failure) {
    fault = Fault(Remedy::report_bug, Fault::Text{"finish", "the job", failure.what(), {}});
  }
  if (!fault) {
    board_.end_done(job.id);
  } else if (board_.was_cancelled(job.id)) {
    board_.end_cancelled(job.id);
  } else {
    if (auto reason = board_.given_up(job.id); reason && fault->remedy() != Remedy::replug)
      fault = std::move(reason);
    parts_.log.write(job_failure_line(subject.operation, subject.capsule, *fault));
    board_.end_failed(job.id, *fault);
  }
}

JobId Host::pack(PackRequest request) {
  const auto insertion = insertion_of(request.device);
  const auto device = request.device;
  return begin({"pack", std::nullopt, device},
               [this, request = std::move(request), insertion](JobContext job) {
                 return pack_job(std::move(job), request, insertion);
               });
}

Task<void> Host::pack_job(JobContext job, PackRequest request, core::Insertion insertion) {
  auto mounting = devices_.mounted_stick(insertion);
  PackOrder order;
  const auto stick = co_await std::move(mounting);
  order.stick = stick;
  order.capsule = CapsuleId(Uuid::random());
  order.domain = std::move(request.domain);
  order.name = std::move(request.name);
  const auto capsule = order.capsule;
  auto packing = satchel::pack(parts_, std::move(order), job);
  auto packed = co_await std::move(packing);
  for (const auto& each : packed.left_behind) {
    parts_.log.warning(packed.head.head.name + ": " + each);
    board_.remark(job.id, each);
  }
  auto meeting = exchange_cards(parts_, stick);
  co_await std::move(meeting);
  std::optional<DomainEntry> guest;  // it may be paused, or have ended meanwhile
  if (packed.session) {
    guest =
        DomainEntry{packed.session->domain, packed.session->domain_name, GuestState::running, true};
    try {
      auto finding = parts_.hypervisor.find(packed.session->domain);
      guest = co_await std::move(finding);
    } catch (const Fault& failure) {
      parts_.log.warning(std::string(failure.what()) + "; taking the guest to be running");
    }
  }
  runner(capsule)->packed(insertion, std::move(packed.head), std::move(packed.session), guest);
  // It may have been pulled within the last step, when nobody knew this capsule yet.
  if (!devices_.stick(insertion)) runner(capsule)->deliver(core::DeviceGone{insertion});
  devices_.look_at_space(insertion);
}

JobId Host::format(FormatRequest request) {
  // As the udev rule has it: a device of another name would never be told of.
  const auto ours = {"SATCHEL", "Satchel", "satchel"};
  if (std::none_of(ours.begin(), ours.end(),
                   [&](const char* start) { return request.label.starts_with(start); }))
    throw Fault(Remedy::fix_request,
                Fault::Text{"format", request.node,
                            "no computer would take a device with this label for one of Satchel's",
                            "Choose a label that begins with SATCHEL."});
  refuse_while_waiting("format", request.node);
  const auto insertion = devices_.at(request.node);
  if (insertion && in_use(*insertion, std::nullopt))
    throw Fault(Remedy::fix_request,
                Fault::Text{"format", request.node, "a capsule on it is in use",
                            "Eject it first: satchelctl eject " + request.node});
  std::optional<DeviceNumber> device;
  if (insertion) device = devices_.number_of(*insertion);
  return begin({"format", std::nullopt, device},
               [this, request = std::move(request)](JobContext job) {
                 return format_job(std::move(job), request);
               });
}

Task<void> Host::format_job(JobContext job, FormatRequest request) {
  auto finding = parts_.volumes.find(request.node);
  const auto volume = co_await std::move(finding);
  if (!volume)
    throw Fault(Remedy::fix_request,
                Fault::Text{"format", request.node, "UDisks2 knows no such device",
                            "List the devices with: lsblk"});
  if (volume->is_internal())
    throw Fault(Remedy::other_device,
                Fault::Text{"format", request.node, "it belongs to this computer itself",
                            "Satchel formats removable devices only."});
  if (const auto insertion = devices_.at(request.node)) {
    job.meter->name("unmounting");
    auto releasing = devices_.release(*insertion, std::nullopt, LettingGo{});
    co_await std::move(releasing);
  }
  auto probing = refuse_counterfeit(job, request.node);
  co_await std::move(probing);
  job.meter->name("making the filesystem");
  auto formatting = parts_.volumes.format(request.node, request.fs_type, request.label);
  co_await std::move(formatting);
  parts_.log.info(request.node + " was formatted with " + request.fs_type);
}

JobId Host::launch(LaunchRequest request) {
  core::LaunchAsked event;
  if (request.when_checked_out == LaunchRequest::CheckedOut::take_over)
    event.take_over = core::TakeOver::yes;
  if (request.when_lacking == LaunchRequest::Lacking::this_copy)
    event.this_copy = core::ThisCopy::yes;
  if (request.device == LaunchRequest::Device::without)
    event.without_device = core::WithoutDevice::yes;
  if (request.memory == LaunchRequest::Memory::start_fresh) event.memory = core::Memory::ignore;
  return known(request.capsule)->ask(event);
}

Task<void> Host::settle() {
  // Nothing is begun by policy any more; what one job's end begins is asked to end in its turn.
  parts_.config.on_insert = OnInsert::ask;
  parts_.config.merge = Config::Merge{0, {}, {}};
  parts_.config.checkpoint = Config::Checkpoint{{}, {}, {}};
  parts_.config.fold.cow_limit.amount = 0;
  for (auto& [id, settings] : parts_.config.capsules) {
    settings.cow_limit.reset();
    settings.on_return = OnReturn::nothing;
  }
  while (board_.size() > 0) {
    std::vector<JobId> jobs;
    for (const auto& job : board_.views()) jobs.push_back(job.id);
    for (const auto& job : jobs) board_.cancel(job);
    for (const auto& job : jobs) {
      auto waiting = board_.wait(job);
      co_await std::move(waiting);
    }
  }
  const auto capsules = capsules_;
  for (const auto& [id, capsule] : capsules) {
    auto clearing = capsule->chores_done();
    co_await std::move(clearing);
  }
  auto ending = parts_.readers->end_all();
  co_await std::move(ending);
}

JobId Host::checkpoint(CapsuleId capsule) { return known(capsule)->ask(core::CheckpointAsked{}); }
JobId Host::unlock(DeviceNumber device, UniqueFd) {
  insertion_of(device);
  throw not_yet("unlock", "the device");
}
JobId Host::resolve(CapsuleId capsule, std::string choice) {
  static const std::map<std::string, core::Choice> choices{
      {"continue-device", core::Choice::continue_device},
      {"keep-both", core::Choice::keep_both},
      {"export-ours", core::Choice::export_ours},
      {"discard-ours", core::Choice::discard_ours}};
  const auto chosen = choices.find(choice);
  if (chosen == choices.end())
    throw Fault(Remedy::fix_request,
                Fault::Text{"resolve", known(capsule)->view().name, "there is no choice " + choice,
                            "Choices: continue-device, keep-both, export-ours, discard-ours."});
  if (chosen->second == core::Choice::export_ours)
    throw Fault(Remedy::fix_request,
                Fault::Text{"resolve", known(capsule)->view().name,
                            "an export needs a directory to write to",
                            "Use satchelctl resolve MACHINE export-ours --to DIRECTORY, or the "
                            "method Export with its option \"ours\"."});
  return known(capsule)->ask(core::ChoiceMade{chosen->second});
}
JobId Host::remove(CapsuleId capsule) {
  const auto runner = known(capsule);
  check_removable(*runner);
  check_unread(capsule, "remove");
  return begin({"remove", capsule, runner->view().device},
               [this, capsule](JobContext job) { return remove_job(std::move(job), capsule); });
}

Task<void> Host::remove_job(JobContext job, CapsuleId capsule) {
  job.meter->name("removing");
  const auto runner = known(capsule);
  check_removable(*runner);
  const auto insertion = core::device_of(runner->state());
  if (!insertion)
    throw Fault(Remedy::replug, Fault::Text{"remove", "it", "its device is gone", {}});
  auto mounting = devices_.mounted_stick(*insertion);
  const auto stick = co_await std::move(mounting);
  auto removing = offload(parts_.lanes.files, [this, stick, capsule] {
    // First: should it fail, the machine is still there to be removed again.
    parts_.cache->drop(capsule);
    parts_.disks->drop(capsule);
    format::CapsuleDirectory::remove(stick->root()->get(), capsule);
  });
  co_await std::move(removing);
  devices_.forget(*insertion, capsule);
  runner->deliver(core::CapsuleRemoved{});
  look_at_copies();
}

void Host::cancel(JobId job) {
  for (const auto& [id, capsule] : capsules_)
    if (core::job_of(capsule->state()) == job) {
      capsule->ask(core::CancelAsked{});
      return;
    }
  if (!board_.cancel(job))
    throw Fault(Remedy::fix_request,
                Fault::Text{"cancel job", std::to_string(job.value), "it has ended already", {}});
}

}  // namespace satchel
