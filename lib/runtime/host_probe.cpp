// Whether a device keeps what is written to it: all of it before it is formatted, and the free
// space of one that is in use when somebody asks.
#include <exception>
#include <utility>

#include "base/fault.hpp"
#include "disk/capacity.hpp"
#include "disk/free_space.hpp"
#include "runtime/host.hpp"

namespace satchel {

namespace {

constexpr auto operation = "probe";
constexpr auto step = "probing the device";

}  // namespace

Task<void> Host::refuse_counterfeit(JobContext job, std::string node) {
  job.meter->name(step);
  auto opening = parts_.volumes.open(node);
  const auto medium = co_await std::move(opening);
  auto probing = offload(parts_.lanes.files, [&medium, &node, &job] {
    return disk::probe_capacity(medium.get(), node, job.meter->begin(step), job.stop);
  });
  const auto kept = co_await std::move(probing);
  if (kept)
    throw Fault(Remedy::other_device,
                Fault::Text{"format", node,
                            "it does not give back what is written to it: it keeps about " +
                                to_string(*kept) + " of what it says it has",
                            "It is counterfeit or broken, and was left as it was. Use another "
                            "one."});
}

JobId Host::probe(std::string node) {
  const auto refused = [&](Remedy remedy, std::string why, std::string next) {
    return Fault(remedy, Fault::Text{operation, node, std::move(why), std::move(next)});
  };
  refuse_while_waiting(operation, node);
  const auto insertion = devices_.at(node);
  if (!insertion)
    throw refused(Remedy::fix_request, "it is no device of Satchel's that is plugged in",
                  "List them: satchelctl list devices. Any other device is probed when it is "
                  "formatted.");
  for (const auto& capsule : capsules_on(*insertion))
    check_untended(*insertion, operation, capsule->view().name);
  if (parts_.readers->doing(operation))
    throw refused(Remedy::retry, "a device is being probed", "Wait for the end of that.");
  const auto id = board_.next();
  Readers::Reading reading{operation,
                           CapsuleId(),
                           *insertion,
                           [this, id] { board_.stop(id); },
                           [this, at = *insertion] { look_at_upkeep(at); },
                           Readers::Reads::what_it_fills};
  auto ticket = std::make_shared<Readers::Ticket>(*parts_.readers, parts_.loop, std::move(reading));
  return begin({operation, std::nullopt, devices_.number_of(*insertion)},
               [this, ticket, node = std::move(node), at = *insertion](JobContext job) mutable {
                 return probe_job(std::move(job), at, std::move(node), std::move(ticket));
               });
}

Task<void> Host::probe_job(JobContext job, core::Insertion insertion, std::string node,
                           std::shared_ptr<Readers::Ticket> ticket) {
  job.meter->name(step);
  std::exception_ptr failure;
  ByteCount tried;
  try {
    auto mounting = devices_.mounted_stick(insertion);
    const auto stick = co_await std::move(mounting);
    auto probing = offload(parts_.lanes.files, [&, stick] {
      const auto root = stick->root();
      const ProgressSink progress = [meter = job.meter,
                                     sink = job.meter->begin(step)](const Progress& far) {
        meter->expect(far.total);
        sink(far);
      };
      return disk::probe_free_space(root->get(), node, parts_.config.space.keep_free_device,
                                    progress, job.stop);
    });
    tried = co_await std::move(probing);
  } catch (...) {
    failure = std::current_exception();
  }
  ticket.reset();  // a merge may have waited for it
  if (failure && job.stop.stop_requested() && !board_.was_cancelled(job.id))
    throw Fault(Remedy::retry, Fault::Text{operation, node, "an eject or a pull ended it",
                                           "Probe it when the device is in again."});
  if (failure) std::rethrow_exception(failure);
  if (tried == ByteCount())
    throw Fault(Remedy::free_space,
                Fault::Text{operation, node, "it has no free space beyond what is always kept",
                            "Delete something from it."});
  parts_.log.info(node + " keeps what is written to it: " + to_string(tried) + " were tried");
}

}  // namespace satchel
