#include "runtime/job_board.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <chrono>
#include <utility>

#include "base/error_name.hpp"

namespace satchel {

namespace asio = boost::asio;

namespace {

constexpr std::size_t ends_kept = 100;
constexpr auto view_interval = std::chrono::milliseconds(250);

}  // namespace

JobBoard::JobBoard(asio::any_io_executor loop, Hooks hooks)
    : loop_(std::move(loop)), hooks_(std::move(hooks)) {}

JobContext JobBoard::begin(Subject subject) {
  const JobId id = next();
  ++last_;
  Job job{std::move(subject), {}, std::make_shared<Meter>()};
  JobContext context{id, job.stop.get_token(), job.meter};
  jobs_.emplace(id, std::move(job));
  if (!std::exchange(ticking_, true)) asio::co_spawn(loop_, tick(), asio::detached);
  hooks_.changed();
  return context;
}

Task<void> JobBoard::tick() {
  asio::steady_timer timer(loop_);
  while (!jobs_.empty()) {
    timer.expires_after(view_interval);
    boost::system::error_code woken;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    hooks_.changed();
    hooks_.ticked();
  }
  ticking_ = false;
}

void JobBoard::remark(JobId id, const std::string& sentence) {
  const auto job = jobs_.find(id);
  if (job == jobs_.end()) return;
  auto& remarks = job->second.remarks;
  remarks += (remarks.empty() ? "" : "\n") + sentence;
}

void JobBoard::end_done(JobId id) {
  const auto job = jobs_.find(id);
  end(JobEnd{id, "done", job == jobs_.end() ? std::string() : job->second.remarks});
}
void JobBoard::end_cancelled(JobId id) {
  end(JobEnd{id, "cancelled", "It was cancelled; everything is as it was before."});
}
void JobBoard::end_failed(JobId id, const Fault& fault) {
  end(JobEnd{id, bus_error_name(fault.remedy()), bus_error_message(fault)});
}
void JobBoard::end_like(JobId id, const JobEnd& other) {
  const auto job = jobs_.find(id);
  const bool says_own = other.message.empty() && job != jobs_.end();
  end(JobEnd{id, other.result, says_own ? job->second.remarks : other.message});
}

void JobBoard::end(JobEnd how) {
  auto job = jobs_.extract(how.id);
  if (job.empty()) return;
  ended_.insert_or_assign(how.id, how);
  if (ended_.size() > ends_kept) ended_.erase(ended_.begin());
  for (const auto& waiter : job.mapped().waiters) waiter->cancel();
  hooks_.ended(how);
  hooks_.changed();
}

bool JobBoard::cancel(JobId id) {
  const auto job = jobs_.find(id);
  if (job == jobs_.end()) return false;
  job->second.cancelled = true;
  job->second.stop.request_stop();
  return true;
}

void JobBoard::stop(JobId id) {
  if (const auto job = jobs_.find(id); job != jobs_.end()) job->second.stop.request_stop();
}

bool JobBoard::was_cancelled(JobId id) const {
  const auto job = jobs_.find(id);
  return job != jobs_.end() && job->second.cancelled;
}

bool JobBoard::give_up(JobId id, Fault why) {
  const auto job = jobs_.find(id);
  if (job == jobs_.end() || job->second.given_up) return false;
  job->second.given_up = std::move(why);
  job->second.stop.request_stop();
  return true;
}

std::shared_ptr<asio::steady_timer> JobBoard::give_up_after(JobId id, std::chrono::seconds time,
                                                            Fault why) {
  auto timer = std::make_shared<asio::steady_timer>(loop_, time);
  timer->async_wait([this, id, timer, why](boost::system::error_code taken_back) {
    if (!taken_back) give_up(id, why);
  });
  return timer;
}

std::optional<Fault> JobBoard::given_up(JobId id) const {
  const auto job = jobs_.find(id);
  return job == jobs_.end() ? std::nullopt : job->second.given_up;
}

std::set<DeviceNumber> JobBoard::devices() const {
  std::set<DeviceNumber> out;
  for (const auto& [id, job] : jobs_)
    if (job.subject.device) out.insert(*job.subject.device);
  return out;
}

std::vector<JobId> JobBoard::on(DeviceNumber device) const {
  std::vector<JobId> out;
  for (const auto& [id, job] : jobs_)
    if (job.subject.device == device) out.push_back(id);
  return out;
}

void JobBoard::follow(JobId whole, JobId part) {
  const auto one = jobs_.find(whole);
  const auto other = jobs_.find(part);
  if (one != jobs_.end() && other != jobs_.end()) one->second.meter = other->second.meter;
}

Task<JobEnd> JobBoard::wait(JobId id) {
  const auto job = jobs_.find(id);
  if (job != jobs_.end()) {
    auto waiter = std::make_shared<asio::steady_timer>(loop_);
    waiter->expires_at(asio::steady_timer::time_point::max());
    job->second.waiters.push_back(waiter);
    boost::system::error_code woken;
    co_await waiter->async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }
  const auto ended = ended_.find(id);
  if (ended == ended_.end())
    throw Fault(Remedy::fix_request,
                Fault::Text{"wait for job", std::to_string(id.value), "there is no such job", {}});
  co_return ended->second;
}

std::vector<JobView> JobBoard::views() {
  std::vector<JobView> out;
  const auto now = std::chrono::steady_clock::now();
  for (auto& [id, job] : jobs_) {
    const auto reading = job.meter->read(now);
    JobView view;
    view.id = id;
    view.operation = job.subject.operation;
    view.step = reading.step;
    view.capsule = job.subject.capsule;
    view.device = job.subject.device;
    view.done = reading.done;
    view.total = reading.total;
    view.rate = reading.rate;
    view.remaining_us = reading.remaining_us;
    view.progress = job.shown = std::max(job.shown, reading.progress);
    out.push_back(std::move(view));
  }
  return out;
}

}  // namespace satchel
