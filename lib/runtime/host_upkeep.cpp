// Merges, folds and compactions beside the host's other work: asked for, ended for an eject, begun
// after a sync; and the way back.
#include <boost/asio/post.hpp>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/host.hpp"

namespace satchel {

namespace {

core::Although although(Commands::WhenNeeded when_needed) {
  return when_needed == Commands::WhenNeeded::go_on ? core::Although::go_on
                                                    : core::Although::refuse;
}

core::UpkeepAsked upkeep(core::Upkeep what, Commands::WhenNeeded when_needed) {
  return {what, although(when_needed)};
}

}  // namespace

JobId Host::rollback(CapsuleId capsule, Sequence generation, WhenNeeded when_needed) {
  check_unread(capsule, "roll back");
  return known(capsule)->ask(core::RollbackAsked{generation, although(when_needed)});
}

JobId Host::merge(CapsuleId capsule, WhenNeeded when_needed) {
  check_unread(capsule, "merge");
  return known(capsule)->ask(upkeep(core::Upkeep::merge, when_needed));
}

JobId Host::fold(CapsuleId capsule, WhenNeeded when_needed) {
  check_unread(capsule, "fold");
  return known(capsule)->ask(upkeep(core::Upkeep::fold, when_needed));
}

JobId Host::compact(CapsuleId capsule, WhenNeeded when_needed) {
  check_unread(capsule, "compact");
  return known(capsule)->ask(upkeep(core::Upkeep::compact, when_needed));
}

void Host::check_unread(CapsuleId capsule, const std::string& what) const {
  const auto runner = known(capsule);
  const auto insertion = core::device_of(runner->state());
  const auto* reading = insertion ? parts_.readers->on(*insertion) : nullptr;
  if (reading == nullptr) return;
  const std::string who = reading->operation == "sync"     ? "a sync"
                          : reading->operation == "export" ? "an export"
                                                           : "a verification";
  throw Fault(Remedy::retry,
              Fault::Text{what, runner->view().name, who + " reads the device's files now",
                          "Wait for its end, or cancel it: satchelctl list jobs"});
}

void Host::check_untended(core::Insertion insertion, const std::string& what,
                          const std::string& name) const {
  for (const auto& neighbour : capsules_on(insertion))
    if (std::holds_alternative<core::Tending>(neighbour->state()))
      throw Fault(Remedy::retry, Fault::Text{what,
                                             name,
                                             neighbour->view().name + " is " +
                                                 std::string(core::name(neighbour->state())) +
                                                 " on the same device",
                                             {}});
}

Task<void> Host::end_upkeep(core::Insertion insertion, CapsuleId asking) {
  std::vector<JobId> jobs;
  for (const auto& capsule : capsules_on(insertion))
    if (capsule->id() != asking && std::holds_alternative<core::Tending>(capsule->state()) &&
        !capsule->domain())
      jobs.push_back(capsule->ask(core::CancelAsked{}));
  for (const auto& job : jobs) {
    auto waiting = board_.wait(job);
    co_await std::move(waiting);
  }
}

void Host::look_at_upkeep(core::Insertion insertion) {
  boost::asio::post(parts_.loop, [this, insertion] {
    for (const auto& capsule : capsules_on(insertion)) capsule->look_at_upkeep();
    changed();
  });
}

}  // namespace satchel
