// A job on the bus: org.satchel.Satchel1.Job. Owned by BusFaces; loop thread only.
#pragma once

#include "daemon/bus/requests.hpp"
#include "daemon/bus/shown.hpp"

namespace satchel::faces {

class JobFace {
 public:
  JobFace(Bus& bus, Requests& requests, const JobView& view);
  void show(const JobView& now) { shown_.show(now, object_); }

 private:
  Shown<JobView> shown_;
  Object object_;
};

}  // namespace satchel::faces
