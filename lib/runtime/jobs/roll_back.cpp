#include "runtime/jobs/roll_back.hpp"

#include <string>
#include <vector>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/heads.hpp"
#include "runtime/older.hpp"

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

const format::Head& checked(const format::Head& newest, const std::vector<format::Head>& older,
                            Sequence to) {
  if (newest.checked_out)
    throw refused(newest, Remedy::choose,
                  newest.checked_out->host_name + " has it checked out since " +
                      core::to_string(newest.checked_out->since),
                  "Eject it there first.");
  const auto now = contents(newest.history).front();
  if (to >= newest.history[now.first].generation.seq && to <= newest.generation.seq)
    throw refused(newest, Remedy::fix_request, "it is at generation " + number(to) + " already",
                  {});
  if (const auto* there = with_content_of(to, newest, older)) return *there;
  const auto kept = restorable(newest, older);
  throw refused(newest, Remedy::fix_request,
                "generation " + number(to) + " is not on its device any more",
                kept.empty() ? "The device keeps no other generation now."
                             : "What it can go back to: " + listed(kept) + ".");
}

/// The files of `before` as they are now: those that merges change in place as the newest has them.
std::vector<format::Object> objects_now(const format::Head& before, const format::Head& newest) {
  auto out = before.objects;
  for (auto& object : out)
    if (const auto* now = newest.find(object.path)) object = *now;
  return out;
}

}  // namespace

format::SignedHead roll_back(const Parts& parts, const Stick& stick, CapsuleId id, Sequence to) {
  auto capsule = format::CapsuleDirectory::open(stick.root()->get(), id);
  const auto seen = capsule.examine();
  if (!seen.newest)
    throw Fault(
        Remedy::other_device,
        Fault::Text{"roll back", "the machine", "no generation on its device is complete", {}});
  const auto& newest = seen.newest->head;
  const auto older = capsule.older();
  const auto& before = checked(newest, older, to);
  auto next = next_head(newest, author(parts), what::back_to + number(to));
  next.machine_json = before.machine_json;
  next.disks = before.disks;
  next.hibernation = before.hibernation;
  next.nvram = before.nvram;
  next.objects = objects_now(before, newest);
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
