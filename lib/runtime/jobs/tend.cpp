#include "runtime/jobs/tend.hpp"

#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "runtime/jobs/tending.hpp"
#include "runtime/sessions.hpp"
#include "runtime/upkeep.hpp"

namespace satchel {

using namespace tending;

namespace {

Task<void> merge_and_commit(Tending& at, std::vector<Span> spans, JobContext job,
                            core::Upkeep what) {
  expect(at, spans, *job.meter);
  auto working = offload(at.parts.lanes.files, [&] {
    check_room(at, spans);
    begin(at, spans, what);
    for (const auto& span : spans) merge_span(at, span, job);
    if (what == core::Upkeep::merge)
      commit_merged(at, spans, job);
    else
      commit_folded(at, spans, job);
    keep_up(at, what == core::Upkeep::merge ? "merge" : "fold");
  });
  co_await std::move(working);
}

/// Whether a guest reads the files meanwhile.
Task<disk::ChainMerge::Readers> readers(Parts& parts, Session session) {
  using Readers = disk::ChainMerge::Readers;
  auto finding = parts.hypervisor.find(session.domain);
  const auto guest = co_await std::move(finding);
  if (!is_alive(guest)) co_return Readers::none;
  if (guest->state == GuestState::paused_by_io_error)
    throw Fault(Remedy::retry,
                Fault::Text{"merge the disks of", session.capsule_name, "one of them has failed",
                            "Launch the machine to let it try again."});
  co_return Readers::guest;
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
    auto asking = readers(parts, *at.order.session);
    at.readers = co_await std::move(asking);
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
