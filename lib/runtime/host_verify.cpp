// Verifications: jobs of the host's, which read a device beside whatever else goes on with its
// capsules.
#include <exception>
#include <utility>

#include "base/fault.hpp"
#include "core/describe.hpp"
#include "runtime/host.hpp"
#include "runtime/jobs/verify.hpp"

namespace satchel {

namespace {

constexpr auto operation = "verify";

}  // namespace

JobId Host::verify(CapsuleId capsule) {
  const auto runner = known(capsule);
  const auto name = runner->view().name;
  const auto insertion = core::device_of(runner->state());
  const auto refused = [&](Remedy remedy, std::string why) {
    return Fault(remedy, Fault::Text{operation, name, std::move(why), {}});
  };
  const auto busy = "it is " + std::string(core::name(runner->state()));
  if (!insertion) throw refused(Remedy::replug, busy);
  if (core::job_of(runner->state())) throw refused(Remedy::retry, busy);
  if (parts_.readers->is_doing(operation, capsule))
    throw refused(Remedy::retry, "it is being verified");
  check_untended(*insertion, operation, name);
  const auto id = board_.next();
  Readers::Reading reading{operation, capsule, *insertion, [this, id] { board_.stop(id); },
                           [this, at = *insertion] { look_at_upkeep(at); }};
  auto ticket = std::make_shared<Readers::Ticket>(*parts_.readers, parts_.loop, std::move(reading));
  return begin({operation, capsule, devices_.number_of(*insertion)},
               [this, capsule, ticket, at = *insertion](JobContext job) mutable {
                 return verify_job(std::move(job), capsule, at, std::move(ticket));
               });
}

Task<void> Host::verify_job(JobContext job, CapsuleId capsule, core::Insertion insertion,
                            std::shared_ptr<Readers::Ticket> ticket) {
  const auto runner = known(capsule);
  Verified verified{job.id, capsule, runner->view().name, parts_.now(), {}, false};
  std::exception_ptr failure;
  try {
    auto mounting = devices_.mounted_stick(insertion);
    VerifyOrder order;
    order.stick = co_await std::move(mounting);
    order.capsule = capsule;
    auto verifying = verify_capsule(parts_, std::move(order), job);
    verified.found = co_await std::move(verifying);
  } catch (...) {
    failure = std::current_exception();
  }
  ticket.reset();  // a merge may have waited for it
  const bool there = devices_.stick(insertion) != nullptr;
  // One that had been ejected may be unplugged again.
  if (there && std::holds_alternative<core::Safe>(runner->state())) {
    auto letting = let_go_quietly(insertion);
    co_await std::move(letting);
  }
  if ((failure || !verified.found.is_whole()) && !there)
    throw Fault(Remedy::replug, Fault::Text{operation, verified.name, "its device was pulled out",
                                            "Plug it in again, and verify it then."});
  if (failure && job.stop.stop_requested() && !board_.was_cancelled(job.id))
    throw Fault(Remedy::retry,
                Fault::Text{operation, verified.name, "an eject came, which does not wait for it",
                            "Verify it when the device is in again."});
  if (failure) std::rethrow_exception(failure);
  const auto* session = core::session_of(runner->state());
  verified.lives_here = session != nullptr && (session->guest == core::Guest::runs ||
                                               session->guest == core::Guest::paused);
  if (const auto stick = devices_.stick(insertion);
      stick && may_have_damaged_memory(verified.found))
    stick->distrust_memory(capsule);
  verified_.insert_or_assign(capsule, report_of(verified));
  if (auto fault = fault_of(verified)) throw *fault;
  parts_.log.info(verified.name + " was verified: " + to_string(verified.found.read) +
                  ", and all is as it was written");
}

std::string Host::verify_report(CapsuleId capsule) const {
  const auto name = known(capsule)->view().name;
  const auto found = verified_.find(capsule);
  if (found == verified_.end())
    throw Fault(Remedy::fix_request, Fault::Text{"show the last verification of", name,
                                                 "there was none", "Verify it: satchelctl verify"});
  return found->second;
}

}  // namespace satchel
