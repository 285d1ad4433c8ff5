#include "runtime/jobs/roll_back.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/heads.hpp"

namespace satchel {

namespace {

Fault refused(const format::Head& newest, Remedy remedy, std::string why, std::string next) {
  return Fault(remedy, Fault::Text{"roll back", newest.name, std::move(why), std::move(next)});
}

std::string number(Sequence seq) { return std::to_string(seq.value); }

std::string listed(const std::vector<Sequence>& all) {
  std::string out;
  for (const auto& seq : all) out += (out.empty() ? "" : ", ") + number(seq);
  return out;
}

void check(const format::Examination& seen, Sequence to) {
  const auto& newest = seen.newest->head;
  if (newest.checked_out)
    throw refused(newest, Remedy::choose,
                  newest.checked_out->host_name + " has it checked out since " +
                      core::to_string(newest.checked_out->since),
                  "Eject it there first.");
  const auto line = newest.history.size() - 1;
  if (to >= first_with_content_of(newest.history, line) && to <= newest.generation.seq)
    throw refused(newest, Remedy::fix_request, "it is at generation " + number(to) + " already",
                  {});
  const auto kept = restorable(newest);
  const bool there = seen.previous && std::find(kept.begin(), kept.end(), to) != kept.end();
  if (there) return;
  const bool none = kept.empty() || !seen.previous;
  throw refused(newest, Remedy::fix_request,
                "generation " + number(to) + " is not on its device any more",
                none ? "The device keeps no other generation now."
                     : "What it can go back to: " + listed(kept) + ".");
}

}  // namespace

format::SignedHead roll_back(const Parts& parts, const Stick& stick, CapsuleId id, Sequence to) {
  auto capsule = format::CapsuleDirectory::open(stick.root()->get(), id);
  const auto seen = capsule.examine();
  if (!seen.newest)
    throw Fault(
        Remedy::other_device,
        Fault::Text{"roll back", "the machine", "no generation on its device is complete", {}});
  check(seen, to);
  const auto& before = seen.previous->head;
  auto next = next_head(seen.newest->head, author(parts), "back to " + number(to));
  next.epoch = before.epoch;
  next.machine_json = before.machine_json;
  next.disks = before.disks;
  next.hibernation = before.hibernation;
  next.nvram = before.nvram;
  next.objects = before.objects;
  auto head = capsule.commit(next, parts.key);
  try {
    const auto& made = head.head.generation;
    capsule.append_log("generation " + number(made.seq) + " by " + made.host_name + ", back to " +
                       number(to));
  } catch (const Fault& failure) {
    parts.log.warning(failure.what());
  }
  return head;
}

}  // namespace satchel
