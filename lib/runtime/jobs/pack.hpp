// Making a capsule on a device from a libvirt domain of this host. A running guest goes on: its
// disks get overlays, what is below them is copied, and the session that began so is checked in by
// the first eject. A shut-off one is copied as it is. The domain's own disks are only read.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "format/capsule_directory.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

struct PackOrder {
  std::shared_ptr<Stick> stick;
  CapsuleId capsule;
  std::string domain;  ///< libvirt name or UUID
  std::string name;    ///< of the capsule; empty: the domain's
};

struct Packed {
  format::SignedHead head;
  std::optional<Session> session;        ///< when the machine was running
  std::vector<std::string> left_behind;  ///< sentences: what did not travel
};

Task<Packed> pack(Parts& parts, PackOrder order, JobContext job);

}  // namespace satchel
