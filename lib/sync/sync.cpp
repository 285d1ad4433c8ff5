#include "sync/sync.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

#include "base/fault.hpp"
#include "base/watch.hpp"
#include "sync/apply.hpp"
#include "sync/digests.hpp"
#include "sync/host_scan.hpp"
#include "sync/listing.hpp"
#include "sync/names.hpp"

namespace satchel::sync {
namespace {

constexpr std::uint64_t kept_free = 16U << 20;

/// A side with nothing at all where there was something is more often not mounted than emptied.
void check_not_emptied(const Order& order, const Listing& listing,
                       const std::vector<HostEntry>& host, const Records& records) {
  if (order.emptiness == Emptiness::meant || records.empty()) return;
  const auto refuse = [&](const std::string& which, const std::string& side) {
    throw Fault(Remedy::choose,
                {"sync", order.host_shown, which + " is empty; at the last sync it was not",
                 "If " + side +
                     " was emptied on purpose, say so with the request; otherwise see "
                     "why its files are not there."});
  };
  if (listing.entries.empty() && listing.lines.empty())
    refuse("the guest's " + order.guest_shown, "the guest's folder");
  const bool had_files =
      std::ranges::any_of(records, [](const auto& each) { return each.second.host.has_value(); });
  if (host.empty() && had_files) refuse(order.host_shown, "it");
}

/// There has to be room for all that comes, beside what it replaces.
void check_space(const Order& order, const Plan& plan, const std::vector<GuestEntry>& guest) {
  std::uint64_t bytes = 0;
  std::uint64_t names = 0;
  for (const Action& action : plan.actions) {
    if (action.deed == Deed::restamp || !action.from) continue;
    const Entry& entry = guest[*action.from].entry;
    const std::uint64_t size = std::min(entry.size.value, entry.allocated.value);
    bytes = size > ~bytes - 8192 ? ~std::uint64_t{0} - 8192 : bytes + (size + 4095) / 4096 * 4096;
    ++names;
  }
  if (names == 0) return;
  struct statvfs about {};
  if (::fstatvfs(order.target, &about) != 0)
    throw fault_from_errno(errno, "look at the free space of", order.host_shown);
  const std::uint64_t free = about.f_bavail * about.f_frsize;
  if (free < kept_free || free - kept_free < bytes)
    throw Fault(Remedy::free_space,
                {"sync",
                 order.host_shown,
                 "what comes from the guest takes " + to_string(ByteCount(bytes)) + ", and " +
                     to_string(ByteCount(free)) + " are free, of which " +
                     to_string(ByteCount(kept_free)) + " have to stay",
                 {}});
  if (about.f_files != 0 && about.f_favail < names)
    throw Fault(
        Remedy::free_space,
        {"sync", order.host_shown, "the host's filesystem has no room for so many files", {}});
}

Plan planned(const Situation& situation, std::vector<GuestEntry>& entries,
             std::vector<HostEntry>& host, HostTree& tree, GuestTree& guest, Report& report,
             const ProgressSink& progress, const std::stop_token& stop) {
  for (;;) {
    Plan plan = make_plan(situation);
    if (plan.ask_guest.empty() && plan.ask_host.empty()) return plan;
    digest_guest_files(guest, entries, plan.ask_guest, report.counts, progress, stop);
    for (const std::size_t each : plan.ask_host) {
      if (progress) progress({"comparing files", {}, {}});
      if (!host[each].version.digest && host[each].closed.empty())
        digest_host_file(tree, host[each], stop);
    }
  }
}

}  // namespace

Report synchronise(const Order& order, GuestTree& guest, const ProgressSink& progress,
                   std::stop_token stop) {
  const bool is_dry = order.extent == Extent::dry_run;
  Report report;
  Watch watch;
  HostTree tree(order.target, order.host_shown);
  State state(order.state, is_dry ? State::Use::read : State::Use::written);
  const std::string now = moment_words(order.now);
  Trash trash(tree, now);
  if (!is_dry) trash.expire(order.now, order.trash_days);

  Listing listing = take_listing(guest, order.as_of, progress, stop);
  report.durations.listing_guest = watch.lap();
  auto host = scan_host(tree, is_dry ? Leftovers::left : Leftovers::removed, progress, stop);
  report.durations.scanning_host = watch.lap();
  check_not_emptied(order, listing, host, state.records());

  recall_digests(state.records(), listing.entries, host);
  const std::string moment = state.unfinished().value_or(now);
  const Situation situation{state.records(),    listing.entries, host,
                            order.capsule_name, moment,          order.umask};
  const Plan plan = planned(situation, listing.entries, host, tree, guest, report, progress, stop);
  const ByteCount read = report.counts.read;
  report.counts = plan.counts;
  report.counts.read = read;
  report.counts.skipped += listing.lines.size();
  report.lines = std::move(listing.lines);
  report.lines.insert(report.lines.end(), plan.lines.begin(), plan.lines.end());
  if (state.was_damaged())
    report.lines.push_back({Mark::attention,
                            {},
                            "what was remembered of the last sync was damaged: files that differ "
                            "come beside each other"});
  report.durations.planning = watch.lap();

  if (is_dry) {
    for (const Action& action : plan.actions) tell(action, report);
  } else {
    if (!plan.actions.empty()) check_space(order, plan, listing.entries);
    if (!plan.actions.empty() || !plan.changes.empty()) {
      state.begin(moment);
      Application(
          {tree, trash, state, guest, listing.entries, order.capsule_name, moment, progress, stop},
          report)
          .run(plan);
    }
    state.end();
  }
  std::ranges::stable_sort(report.lines, TreeOrder{}, &Line::path);
  report.durations.applying = watch.lap();
  return report;
}

}  // namespace satchel::sync
