// The root object on the bus: org.satchel.Satchel1.Manager. Owned by BusFaces; loop thread only.
#pragma once

#include "daemon/bus/requests.hpp"
#include "daemon/bus/shown.hpp"

namespace satchel::faces {

/// What the root object shows of the host's view.
struct HostFacts {
  explicit HostFacts(const HostView& of);
  std::string version;
  std::string host_id;
  std::string host_name;
  std::string fingerprint;
  std::string hypervisor;
  std::string detail;
  std::uint32_t sessions;
  std::uint32_t jobs;
};

class ManagerFace {
 public:
  ManagerFace(Bus& bus, Requests& requests, const HostFacts& view);
  void show(const HostFacts& now) { shown_.show(now, object_); }
  /// JobRemoved. The job's object goes after this.
  void job_removed(const JobEnd& end);

 private:
  Shown<HostFacts> shown_;
  Object object_;
};

}  // namespace satchel::faces
