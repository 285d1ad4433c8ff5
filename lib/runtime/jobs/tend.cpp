#include "runtime/jobs/tend.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/fault.hpp"
#include "runtime/heads.hpp"
#include "runtime/jobs/compacting.hpp"
#include "runtime/jobs/tending.hpp"
#include "runtime/older.hpp"
#include "runtime/sessions.hpp"
#include "runtime/upkeep.hpp"

namespace satchel {

using namespace tending;

namespace {

Task<void> merge_and_commit(Tending& at, std::vector<Span> spans, JobContext job,
                            core::Upkeep what) {
  expect(at, spans, *job.meter);
  auto working = offload(at.parts.lanes.files, [&] {
    check_files(at, spans, job);
    check_room(at, spans, job);
    begin(at, spans, what);
    give_up_older(at, spans);
    for (const auto& span : spans) merge_span(at, span, job);
    if (what == core::Upkeep::merge)
      commit_merged(at, spans, job);
    else
      commit_folded(at, spans, job);
    keep_up(at, what == core::Upkeep::merge ? what::merge : what::fold);
  });
  co_await std::move(working);
}

/// The layers that this order is about.
std::vector<Span> layers_for(const Tending& at, const std::vector<format::Head>& older) {
  if (at.order.older == TendOrder::Older::given_up) return layers_of(at.head());
  return layers_of(at.head(), kept_among(older, at.head(), at.parts.config.generations.keep));
}

/// What could be gone back to before and can't any more.
std::string farewell(const std::vector<Sequence>& before, const std::vector<Sequence>& after) {
  std::string list;
  for (const auto seq : before)
    if (std::ranges::find(after, seq) == after.end())
      list += (list.empty() ? "" : ", ") + std::to_string(seq.value);
  if (list.empty()) return list;
  return "There is no way back any more to what it was in generation " + list + ".";
}

/// Whether a guest reads the files meanwhile.
Task<disk::ChainMerge::Readers> readers(Parts& parts, Session session) {
  using Readers = disk::ChainMerge::Readers;
  auto finding = find_guest(parts, session);
  const auto guest = co_await std::move(finding);
  if (guest && guest->has_saved_memory)
    throw memory_kept("merge the disks of", session.capsule_name, *guest, WhoStarts::us);
  if (!is_alive(guest)) co_return Readers::none;
  if (guest->state == GuestState::paused_by_io_error)
    throw Fault(Remedy::retry,
                Fault::Text{"merge the disks of", session.capsule_name, "one of them has failed",
                            "Launch the machine to let it try again."});
  co_return Readers::guest;
}

Task<Tended> compact_memory(Tending at, JobContext job) {
  std::string said;
  auto working = offload(at.parts.lanes.files, [&] { said = compact(at, job); });
  co_await std::move(working);
  if (said.empty()) said = "There was nothing to compact.";
  co_return Tended{std::move(at.newest), std::move(at.order.session), std::move(said)};
}

}  // namespace

Task<Tended> tend(Parts& parts, TendOrder order, JobContext job) {
  job.meter->name("checking the device");
  const auto what = order.what;
  auto opening = offload(parts.lanes.files, [&] { return open(parts, std::move(order)); });
  auto at = co_await std::move(opening);
  if (what == core::Upkeep::compact) {
    auto compacting = compact_memory(std::move(at), job);
    co_return co_await std::move(compacting);
  }
  if (what == core::Upkeep::fold && !may_enlarge(at.order.stick->volume()))
    throw at.fault(Remedy::other_device,
                   "on exFAT a file that grows while the power goes may be lost, and a fold makes "
                   "the image file grow",
                   "There is no need to: merges go on. To fold it, have it on a device with ext4 "
                   "or vfat.");
  if (what == core::Upkeep::fold && sync_due(parts, at.head()))
    throw at.fault(Remedy::retry, "its files were not synced into this computer's folders since",
                   "Sync them first: satchelctl sync " + at.head().name);
  if (at.order.session) {
    auto asking = readers(parts, *at.order.session);
    at.readers = co_await std::move(asking);
  }
  auto reading = offload(parts.lanes.files, [&] { return at.capsule.older(); });
  const auto older = co_await std::move(reading);
  const auto ways_back = restorable(at.head(), older);
  bool done = false;
  if (auto layers = layers_for(at, older); !layers.empty()) {
    auto merging = merge_and_commit(at, std::move(layers), job, core::Upkeep::merge);
    co_await std::move(merging);
    done = true;
  }
  if (auto cows = cows_of(at.head()); what == core::Upkeep::fold && !cows.empty()) {
    auto folding = merge_and_commit(at, std::move(cows), job, core::Upkeep::fold);
    co_await std::move(folding);
    done = true;
  }
  auto looking = offload(parts.lanes.files, [&] { return at.capsule.older(); });
  const auto still_there = co_await std::move(looking);
  const auto left = restorable(at.head(), still_there);
  Tended result{std::move(at.newest), std::move(at.order.session), farewell(ways_back, left)};
  if (!done)
    result.said =
        what == core::Upkeep::merge ? "There was nothing to merge." : "There was nothing to fold.";
  co_return result;
}

}  // namespace satchel
