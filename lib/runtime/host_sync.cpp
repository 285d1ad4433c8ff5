// Syncs: jobs of the host's, which read a device beside whatever else goes on with its capsules.
#include <algorithm>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/host.hpp"
#include "runtime/jobs/sync.hpp"
#include "runtime/messages.hpp"
#include "runtime/upkeep.hpp"

namespace satchel {

namespace {

const CapsuleSettings* settings_of(const Config& config, CapsuleId capsule) {
  const auto found = config.capsules.find(capsule);
  return found == config.capsules.end() ? nullptr : &found->second;
}

/// A fold is due, which waits for a sync.
bool fold_due(const Config& config, const format::Head& head, Home home) {
  const auto due = upkeep_due(config, head, {}, home);
  return std::find(due.begin(), due.end(), core::Upkeep::fold) != due.end();
}

/// While nothing changes the files that are read.
bool stands_still(const core::State& state) {
  return std::holds_alternative<core::Ready>(state) || std::holds_alternative<core::Running>(state);
}

Fault no_rules(const std::string& name, CapsuleId capsule) {
  return Fault(
      Remedy::fix_config,
      Fault::Text{"sync", name, "satchel.yaml names no folders of it",
                  "Add to /etc/satchel/satchel.yaml, below capsules: " + capsule.value.str() +
                      ": sync: [{guest: /home/ann/Documents, to: /home/ann/Documents, owner: ann}]"
                      ", and restart satcheld."});
}

}  // namespace

JobId Host::sync(SyncRequest request) {
  const auto capsule = known(request.capsule);
  const auto name = capsule->view().name;
  const auto* settings = settings_of(parts_.config, request.capsule);
  if (settings == nullptr || settings->sync.empty()) throw no_rules(name, request.capsule);
  const auto insertion = core::device_of(capsule->state());
  if (!insertion || !stands_still(capsule->state()))
    throw Fault(
        insertion ? Remedy::retry : Remedy::replug,
        Fault::Text{"sync", name, "it is " + std::string(core::name(capsule->state())), {}});
  if (const auto other = parts_.readers->doing("sync"))
    throw Fault(Remedy::retry,
                Fault::Text{"sync", name, known(*other)->view().name + " is being synced", {}});
  check_untended(*insertion, "sync", name);
  const auto id = board_.next();
  Readers::Reading reading{"sync", request.capsule, *insertion, [this, id] { board_.cancel(id); },
                           [this, at = *insertion] { look_at_upkeep(at); }};
  auto ticket = std::make_shared<Readers::Ticket>(*parts_.readers, parts_.loop, std::move(reading));
  return begin({"sync", request.capsule, capsule->view().device},
               [this, request, ticket, at = *insertion](JobContext job) mutable {
                 return sync_job(std::move(job), request, at, std::move(ticket));
               });
}

Task<void> Host::sync_job(JobContext job, SyncRequest request, core::Insertion insertion,
                          std::shared_ptr<Readers::Ticket> ticket) {
  const auto name = known(request.capsule)->view().name;
  auto mounting = devices_.mounted_stick(insertion);
  SyncOrder order;
  order.stick = co_await std::move(mounting);
  order.capsule = request.capsule;
  order.rules = settings_of(parts_.config, request.capsule)->sync;
  order.extent = request.extent;
  order.emptiness = request.emptiness;
  auto syncing = sync_files(parts_, std::move(order), std::move(job));
  auto synced = co_await std::move(syncing);
  if (request.extent == sync::Extent::dry_run) {
    parts_.syncs->note_dry_run(std::move(synced.record));
  } else {
    for (const auto& line : synced.lines)
      parts_.log.write(sync_line(request.capsule, name, line.level, line.text, line.counts));
    auto storing =
        offload(parts_.lanes.files, [state = parts_.state_directory, record = synced.record] {
          SyncBook::store(state, record);
        });
    co_await std::move(storing);
    parts_.syncs->note(std::move(synced.record));
    changed();
  }
  ticket.reset();  // a fold may have waited for what was noted
  if (synced.fault) throw *synced.fault;
}

std::string Host::sync_report(CapsuleId capsule, sync::Extent extent) const {
  const auto name = known(capsule)->view().name;
  const auto* record = extent == sync::Extent::dry_run ? parts_.syncs->last_dry_run(capsule)
                                                       : parts_.syncs->last(capsule);
  if (record == nullptr)
    throw Fault(Remedy::fix_request, Fault::Text{"show the last sync of", name, "there was none",
                                                 "Sync it: satchelctl sync"});
  return record->report;
}

void Host::sync_by_itself() {
  if (parts_.readers->doing("sync") || !parts_.sync_command) return;
  for (const auto& [id, capsule] : capsules_) {
    const auto* settings = settings_of(parts_.config, id);
    if (settings == nullptr || settings->sync.empty()) continue;
    const auto* head = capsule->newest();
    const auto insertion = core::device_of(capsule->state());
    if (head == nullptr || !insertion || !stands_still(capsule->state())) continue;
    // One that is being let go of stays let go of.
    const auto stick = devices_.stick(*insertion);
    if (!stick || !stick->is_open() || capsule->home() != Home::yes) continue;
    if (settings->on_return != OnReturn::sync && !fold_due(parts_.config, *head, capsule->home()))
      continue;
    if (!sync_due(parts_, *head)) continue;
    // A failure is tried again when the machine has changed or comes again, or by hand.
    const std::pair now(*insertion, head->generation.id);
    const auto tried = sync_tried_.find(id);
    if (tried != sync_tried_.end() && tried->second == now) continue;
    sync_tried_.insert_or_assign(id, now);
    try {
      sync(SyncRequest{id, sync::Extent::whole, sync::Emptiness::refused});
    } catch (const Fault& refused) {
      parts_.log.warning(std::string(refused.what()) + ". " + refused.next_step());
    }
    return;
  }
}

}  // namespace satchel
