// Inside jobs/tend only: what a merge, fold or compaction does to the device, step by step. All but
// the values block: files lane. All throw Fault.
#pragma once

#include <algorithm>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "disk/merge.hpp"
#include "format/capsule_directory.hpp"
#include "runtime/jobs/tend.hpp"

namespace satchel::tending {

/// Files of a chain, by their places in it: those above `base` up to `top` go into `base`.
struct Span {
  std::string target;
  std::size_t base;
  std::size_t top;
};

/// Where the work stands between its steps.
struct Tending {
  Parts& parts;
  TendOrder order;
  format::CapsuleDirectory capsule;
  format::SignedHead newest;
  std::optional<format::SignedHead> previous;
  disk::ChainMerge::Readers readers = disk::ChainMerge::Readers::none;

  const format::Head& head() const { return newest.head; }
  const format::Disk& disk(const std::string& target) const {
    return *std::find_if(head().disks.begin(), head().disks.end(),
                         [&](const auto& each) { return each.target == target; });
  }
  const format::Object& object(const std::string& path) const { return *head().find(path); }
  Fault fault(Remedy remedy, std::string why, std::string next) const {
    const bool of_memory = order.what == core::Upkeep::compact;
    return Fault(remedy, Fault::Text{std::string(core::name(order.what)),
                                     (of_memory ? "the memory of " : "the disks of ") + head().name,
                                     std::move(why), std::move(next)});
  }
};

/// Layers that are not merged yet; with generations that are to stay as they are, those of which
/// they see nothing.
std::vector<Span> layers_of(const format::Head& head, const std::vector<format::Head>& kept = {});
/// COW files that hold something.
std::vector<Span> cows_of(const format::Head& head);

/// Reads the device, and refuses what must not be merged now.
Tending open(Parts& parts, TendOrder order);
/// The head that follows, not committed: the same content.
format::Head next_of(const Tending& at, std::string what);
/// A generation with the same content, checked out as before.
void commit(Tending& at, format::Head next);
/// Merging enlarges a file by no more than what is merged into it, uncompressed. Older generations
/// go first when there is no room for that.
void check_room(Tending& at, const std::vector<Span>& spans, const JobContext& job);
/// Refuses what is not as it was written: a merge would give it a digest that says it was.
void check_files(Tending& at, const std::vector<Span>& spans, const JobContext& job);
/// A commit that names the same files once more: history then tells that one has begun, whose end
/// may never come, and what is written is hidden by the files above for the generation in the other
/// slot too. None where the last commit was that already.
void begin(Tending& at, const std::vector<Span>& spans, core::Upkeep what);
/// Gives up the older generations that would see what is written: between begin() and the first
/// merge_span().
void give_up_older(Tending& at, const std::vector<Span>& spans);
/// Also while the session's guest reads the files: it keeps the chain that it was started with, in
/// which the layers hide all that is written. On exFAT what is merged goes into a new COW file.
void merge_span(Tending& at, const Span& span, const JobContext& job);
/// The shorter chains, once the changed files were read back and synced by a descriptor of ours.
void commit_merged(Tending& at, const std::vector<Span>& spans, const JobContext& job);
/// The same with new COW files, of the next epoch.
void commit_folded(Tending& at, const std::vector<Span>& spans, const JobContext& job);
/// The journal follows the head, and what is not needed any more goes.
void keep_up(Tending& at, const std::string& what);
/// How much there is to read and write.
void expect(const Tending& at, const std::vector<Span>& spans, Meter& meter);

}  // namespace satchel::tending
