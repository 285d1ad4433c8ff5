// The whole API on the bus: keeps the objects below /org/satchel/Satchel1 equal to Commands::view()
// and carries requests to Commands. Owned by the composition root, which must end it before what it
// was given; loop thread only. It does not own the bus name: request that once this exists.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "daemon/bus/capsule_face.hpp"
#include "daemon/bus/device_face.hpp"
#include "daemon/bus/job_face.hpp"
#include "daemon/bus/manager_face.hpp"

namespace satchel {

class BusFaces {
 public:
  /// Shows what is there now and becomes the one listener of `commands`.
  BusFaces(Bus& bus, Commands& commands, Authority& authority);
  BusFaces(const BusFaces&) = delete;
  BusFaces& operator=(const BusFaces&) = delete;
  ~BusFaces();

 private:
  void refresh();
  void end_job(const JobEnd& end);

  Bus& bus_;
  Commands& commands_;
  faces::Requests requests_;
  faces::ManagerFace manager_;
  std::map<DeviceNumber, std::unique_ptr<faces::DeviceFace>> devices_;
  std::map<CapsuleId, std::unique_ptr<faces::CapsuleFace>> capsules_;
  /// A job's object stays until its end was told, whatever the view says.
  std::map<JobId, std::unique_ptr<faces::JobFace>> jobs_;
  /// Jobs whose end was told while the view still had them.
  std::set<JobId> ended_;
};

}  // namespace satchel
