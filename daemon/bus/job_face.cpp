#include "daemon/bus/job_face.hpp"

namespace satchel::faces {

namespace {

Action right_for(const std::string& operation) {
  if (operation == "eject") return Action::eject;
  if (operation == "launch" || operation == "verify") return Action::launch;
  return Action::manage;
}

Requests::Subject about(const Requests& requests, const JobView& job) {
  if (job.capsule) return requests.about(*job.capsule);
  return job.device ? requests.about(*job.device) : Requests::Subject();
}

Task<void> cancel(Requests& requests, Caller caller, JobId job, std::string operation,
                  Requests::Subject subject) {
  co_await requests.authorise(caller, right_for(operation), "cancel the job", std::move(subject));
  requests.commands().cancel(job);
}

Interface& describe(Shown<JobView>& shown, Requests& requests) {
  shown.property("Operation", &JobView::operation, Emits::never_changes)
      .property("Step", &JobView::step)
      .property("Capsule", &JobView::capsule)
      .property("Device", &JobView::device)
      .property("Progress", &JobView::progress)
      .property("Bytes", &JobView::done)
      .property("BytesTotal", &JobView::total)
      .property("Rate", &JobView::rate)
      .property("Remaining", &JobView::remaining_us);
  const auto job = shown.view().id;
  const auto operation = shown.view().operation;
  return shown.face().method("Cancel", {}, {}, [&shown, &requests, job, operation](Caller caller) {
    return cancel(requests, std::move(caller), job, operation, about(requests, shown.view()));
  });
}

}  // namespace

JobFace::JobFace(Bus& bus, Requests& requests, const JobView& view)
    : shown_("org.satchel.Satchel1.Job", view),
      object_(bus, path_of(view.id), {describe(shown_, requests)}, Place::member) {}

}  // namespace satchel::faces
