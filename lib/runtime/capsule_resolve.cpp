// How a capsule goes on that has more than one state to go on from.
#include <memory>
#include <utility>

#include "base/fault.hpp"
#include "runtime/capsule_runner.hpp"
#include "runtime/jobs/resolve.hpp"
#include "runtime/jobs/roll_back.hpp"

namespace satchel {

JobId CapsuleRunner::ask_export(ExportOrder order) {
  const auto before = std::exchange(export_to_, std::make_shared<ExportOrder>(std::move(order)));
  try {
    return ask(core::ChoiceMade{core::Choice::export_ours});
  } catch (const Fault&) {
    export_to_ = before;  // of the one that is under way
    throw;
  }
}

Task<core::Event> CapsuleRunner::resolve(JobContext job, core::Choice choice) {
  std::shared_ptr<Stick> held;
  if (!std::holds_alternative<core::Stranded>(state_)) {
    auto mounting = around_.devices.mounted_stick(stick()->insertion());
    held = co_await std::move(mounting);
  }
  auto resolving = choice == core::Choice::export_ours ? export_here(std::move(held), job)
                                                       : keep_both(std::move(held), job);
  co_await std::move(resolving);
  co_return core::JobEnded{job.id, core::Done{}};
}

Task<void> CapsuleRunner::export_here(std::shared_ptr<Stick> held, JobContext job) {
  const auto order = std::exchange(export_to_, nullptr);
  if (!order)
    throw Fault(Remedy::fix_request,
                Fault::Text{"export", name_, "nobody said where to",
                            "Give a directory: satchelctl resolve MACHINE export-ours --to DIR"});
  order->stick = std::move(held);
  auto exporting = with_copies(export_session(around_.parts, *order, job));
  const auto exported = co_await std::move(exporting);
  around_.parts.log.info(name_ + " (" + exported.state + ") was exported to " + order->to->shown() +
                         ", " + to_string(exported.written));
}

Task<void> CapsuleRunner::keep_both(std::shared_ptr<Stick> held, JobContext job) {
  auto keeping = keep_beside(around_.parts, held, id_, job);
  auto kept = co_await std::move(keeping);
  for (const auto& each : kept.left_behind) {
    around_.parts.log.warning(name_ + ": " + each);
    around_.board.remark(job.id, each);
  }
  around_.parts.log.info(name_ +
                         " as this computer left it is a machine of its own now, on the same "
                         "device: " +
                         kept.head.head.name);
  around_.kept_beside(held->insertion(), std::move(kept.head));
}

Task<core::Event> CapsuleRunner::roll_back(JobContext job, Sequence to) {
  job.meter->name("going back");
  auto mounting = around_.devices.mounted_stick(stick()->insertion());
  const auto held = co_await std::move(mounting);
  auto going_back = offload(around_.parts.lanes.files, [this, held, to] {
    return satchel::roll_back(around_.parts, *held, id_, to);
  });
  head_ = co_await std::move(going_back);
  auto noting = note_seen(Noting::as_ours);
  co_await std::move(noting);
  tended_.clear();
  around_.parts.log.info(name_ + " is as it was in generation " + std::to_string(to.value) +
                         " again, which is generation " +
                         std::to_string(head_->head.generation.seq.value) + " now");
  co_return core::Examined{job.id, found_in(*head_)};
}

}  // namespace satchel
