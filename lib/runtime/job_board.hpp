// The jobs under way: their numbers, how far they are, how they are stopped, how they ended. Loop
// thread only.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "async/lanes.hpp"
#include "base/fault.hpp"
#include "runtime/parts.hpp"
#include "runtime/view.hpp"

namespace satchel {

class JobBoard {
 public:
  struct Hooks {
    std::function<void()> changed;
    std::function<void(const JobEnd&)> ended;
    std::function<void()> ticked;  ///< a few times a second while there are jobs, and once after
  };
  JobBoard(boost::asio::any_io_executor loop, Hooks hooks);

  /// The number that the next job begun gets.
  JobId next() const { return JobId(last_ + 1); }
  struct Subject {
    std::string operation;
    std::optional<CapsuleId> capsule;
    std::optional<DeviceNumber> device;
  };
  /// Begins job next().
  JobContext begin(Subject subject);

  /// A sentence that its end brings along when it succeeds: what it left out, say.
  void remark(JobId id, const std::string& sentence);
  void end_done(JobId id);
  void end_cancelled(JobId id);
  void end_failed(JobId id, const Fault& fault);
  /// In the same way as another job, to which it led.
  void end_like(JobId id, const JobEnd& other);
  /// Asks it to end soon; false when there is no such job.
  bool cancel(JobId id);
  /// Asks it to end soon, for a reason that its failure tells.
  void stop(JobId id);
  /// Whether a cancel() was the reason for it to end soon.
  bool was_cancelled(JobId id) const;
  /// Asks it to end soon: it fails for this reason then, if it does not succeed all the same.
  /// False: that was so before.
  bool give_up(JobId id, Fault why);
  /// The same when it takes longer; cancel the timer to take that back.
  std::shared_ptr<boost::asio::steady_timer> give_up_after(JobId id, std::chrono::seconds time,
                                                           Fault why);
  /// The first reason for which it was given up.
  std::optional<Fault> given_up(JobId id) const;
  /// The devices that are worked on, and all jobs on one of them.
  std::set<DeviceNumber> devices() const;
  std::vector<JobId> on(DeviceNumber device) const;
  /// Shows the part's step and bytes as the whole's, while the whole waits for it.
  void follow(JobId whole, JobId part);
  /// Waits for its end; at once, with what is known, when it has ended already.
  Task<JobEnd> wait(JobId id);

  std::vector<JobView> views();
  std::size_t size() const { return jobs_.size(); }

 private:
  struct Job {
    Subject subject;
    std::stop_source stop;
    std::shared_ptr<Meter> meter;
    bool cancelled = false;
    std::optional<Fault> given_up{};
    double shown = 0;  ///< of its progress, which never falls
    std::string remarks{};
    std::vector<std::shared_ptr<boost::asio::steady_timer>> waiters{};
  };
  void end(JobEnd how);
  Task<void> tick();

  boost::asio::any_io_executor loop_;
  Hooks hooks_;
  std::uint64_t last_ = 0;
  std::map<JobId, Job> jobs_;
  std::map<JobId, JobEnd> ended_;  ///< the last hundred
  bool ticking_ = false;
};

}  // namespace satchel
