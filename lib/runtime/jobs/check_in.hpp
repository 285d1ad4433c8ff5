// The eject of one session, up to the instant at which the device holds it and the guest is gone:
// suspend into the gate, encode, ship the overlays, commit, read back, let libvirt let go. Until
// the commit was read back every failure leaves the guest as it was. After it the guest is ended;
// where it goes on all the same, the device says again that it is checked out.
#pragma once

#include <chrono>
#include <memory>

#include "format/capsule_directory.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

struct CheckInOrder {
  std::shared_ptr<Stick> stick;
  Session session;
};

struct CheckedIn {
  format::SignedHead head;
  ByteCount written;  ///< bytes that crossed to the device
  std::chrono::milliseconds took;
};

/// Leaves the session's overlays and journal in place: they go when the state machine drops it.
Task<CheckedIn> check_in(Parts& parts, CheckInOrder order, JobContext job);

}  // namespace satchel
