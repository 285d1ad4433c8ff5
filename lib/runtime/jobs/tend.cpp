#include "runtime/jobs/tend.hpp"

#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "runtime/chains.hpp"
#include "runtime/jobs/tending.hpp"
#include "runtime/sessions.hpp"
#include "runtime/upkeep.hpp"

namespace satchel {

using namespace tending;

namespace {

bool shows(const Tending& at, const std::string& path) {
  return at.live_xml.find("'" + shown_path(at.order.capsule, path) + "'") != std::string::npos ||
         at.live_xml.find("\"" + shown_path(at.order.capsule, path) + "\"") != std::string::npos;
}

Task<void> merge_live(Tending& at, Span span, ProgressSink progress, std::stop_token stop) {
  const auto chain = at.disk(span.target).chain;
  LayerCommit commit;
  commit.target = span.target;
  commit.base = shown_path(at.order.capsule, chain[span.base]);
  commit.top = shown_path(at.order.capsule, chain[span.top]);
  commit.bytes_per_second = at.order.bytes_per_second;
  if (!shows(at, chain[span.top])) {
    // An earlier merge came that far and was not committed: what it wrote only has to be kept.
    if (shows(at, chain[span.base])) co_return;
    throw at.fault(Remedy::fix_request, "it runs on the files that it was packed from",
                   "Eject it first; from then on it runs on those of the device.");
  }
  auto committing = at.parts.hypervisor.commit_layers(at.order.session->domain, std::move(commit),
                                                      std::move(progress), std::move(stop));
  co_await std::move(committing);
}

Task<void> merge_spans(Tending& at, std::vector<Span> spans, JobContext job) {
  for (const auto& span : spans) {
    auto progress =
        job.meter->begin((span.base == 0 ? "folding disk " : "merging disk ") + span.target);
    if (at.live_xml.empty()) {
      auto merging =
          offload(at.parts.lanes.files, [&] { merge_at_rest(at, span, progress, job.stop); });
      co_await std::move(merging);
    } else {
      auto merging = merge_live(at, span, std::move(progress), job.stop);
      co_await std::move(merging);
    }
  }
}

Task<void> merge_and_commit(Tending& at, std::vector<Span> spans, JobContext job,
                            core::Upkeep what) {
  expect(at, spans, *job.meter);
  auto preparing = offload(at.parts.lanes.files, [&] {
    check_room(at, spans);
    hide_from_previous(at, spans);
  });
  co_await std::move(preparing);
  auto merging = merge_spans(at, spans, job);
  co_await std::move(merging);
  auto committing = offload(at.parts.lanes.files, [&] {
    if (what == core::Upkeep::merge)
      commit_merged(at, spans, job);
    else
      commit_folded(at, spans, job);
    keep_up(at, what == core::Upkeep::merge ? "merge" : "fold");
  });
  co_await std::move(committing);
}

/// How the guest runs now, once nothing of an earlier daemon is at work on its disks any more.
Task<std::string> live_description(Parts& parts, Session session) {
  auto finding = parts.hypervisor.find(session.domain);
  const auto guest = co_await std::move(finding);
  if (!is_alive(guest)) co_return std::string();
  if (guest->state == GuestState::paused_by_io_error)
    throw Fault(Remedy::retry,
                Fault::Text{"merge the disks of", session.capsule_name, "one of them has failed",
                            "Launch the machine to let it try again."});
  auto aborting = parts.hypervisor.abort_block_jobs(session.domain);
  co_await std::move(aborting);
  auto describing = parts.hypervisor.describe(session.domain.value.str());
  auto domain = co_await std::move(describing);
  co_return domain ? std::move(domain->live) : std::string();
}

}  // namespace

Task<Tended> tend(Parts& parts, TendOrder order, JobContext job) {
  job.meter->name("checking the device");
  const auto what = order.what;
  auto opening = offload(parts.lanes.files, [&] { return open(parts, std::move(order)); });
  auto at = co_await std::move(opening);
  if (what == core::Upkeep::fold && sync_due(parts, at.head()))
    throw at.fault(Remedy::retry, "its files were not synced into this computer's folders since",
                   "Sync them first: satchelctl sync " + at.head().name);
  if (at.order.session) {
    auto describing = live_description(parts, *at.order.session);
    at.live_xml = co_await std::move(describing);
  }
  bool done = false;
  if (auto layers = layers_of(at.head()); !layers.empty()) {
    auto merging = merge_and_commit(at, std::move(layers), job, core::Upkeep::merge);
    co_await std::move(merging);
    done = true;
  }
  if (auto cows = cows_of(at.head()); what == core::Upkeep::fold && !cows.empty()) {
    auto folding = merge_and_commit(at, std::move(cows), job, core::Upkeep::fold);
    co_await std::move(folding);
    done = true;
  }
  Tended result{std::move(at.newest), std::move(at.order.session), {}};
  if (!done)
    result.said =
        what == core::Upkeep::merge ? "There was nothing to merge." : "There was nothing to fold.";
  co_return result;
}

}  // namespace satchel
