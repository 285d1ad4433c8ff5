// The states of a capsule on this host. Only what is being done is state; what is true (a device
// there, a guest running) comes in as events. Reasons are data in a state. Values; any thread.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/event.hpp"
#include "core/words.hpp"

namespace satchel::core {

/// The one job under way for this capsule, and what has happened to its device meanwhile.
struct Work {
  JobId job;
  Insertion on;                         ///< the insertion that the job works on
  std::optional<Insertion> now;         ///< the device as it is now; none: gone
  std::optional<EjectAsked> removal{};  ///< asked for meanwhile; done when this job ends
  bool operator==(const Work&) const = default;
};

/// No device, no session.
struct Absent {
  bool operator==(const Absent&) const = default;
};

/// The device is mounted, read and verified; with `from` an earlier generation is made the newest
/// before that.
struct Examining {
  Work work;
  std::optional<Session> ours;          ///< this host's session, when it has one
  std::optional<LaunchAsked> wanted{};  ///< asked for meanwhile
  std::optional<Found> from{};          ///< what was newest before the way back
  bool operator==(const Examining&) const = default;
};

/// Encrypted; needs a passphrase.
struct Locked {
  Insertion device;
  std::optional<Session> ours;
  bool operator==(const Locked&) const = default;
};

/// Made by a host that this one does not trust.
struct Untrusted {
  Insertion device;
  std::optional<Session> ours;
  std::string fingerprint;  ///< of the signer's key
  bool operator==(const Untrusted&) const = default;
};

/// Could be launched. Nothing of ours is being written.
struct Ready {
  Insertion device;
  Found found;
  std::optional<Reason> trouble{};  ///< why the last attempt failed
  bool operator==(const Ready&) const = default;
};

struct Launching {
  Work work;
  Found found;
  std::optional<Session> session;  ///< when one goes on; a new one comes with the job's end
  LaunchFrom from = LaunchFrom::memory;
  bool operator==(const Launching&) const = default;
};

/// A session is open and its device there. The guest itself may be off or paused.
struct Running {
  Insertion device;
  Found found;
  Session session;
  std::optional<Reason> trouble{};
  bool operator==(const Running&) const = default;
};

/// Running, and the guest's state is shipped to the device in the background.
struct Checkpointing {
  Work work;
  Found found;
  Session session;
  bool operator==(const Checkpointing&) const = default;
};

/// What is on the device is put in order: its layers are merged, its COW files folded, or its
/// stored memory compacted. With a session whose guest may go on running, or at rest.
struct Tending {
  Upkeep what = Upkeep::merge;
  Work work;
  Found found;
  std::optional<Session> session;
  std::optional<LaunchAsked> wanted{};  ///< asked for meanwhile
  bool operator==(const Tending&) const = default;
};

/// With a session: it is checked in, then the device released. Without, or when the session is
/// not this device's (`apart`): the device is released only.
struct Ejecting {
  Work work;
  std::optional<Found> found;  ///< none when the device could not be read
  std::optional<Session> session;
  bool apart = false;
  bool operator==(const Ejecting&) const = default;
};

/// Checked in, unmounted and powered off; still in its port.
struct Safe {
  Insertion device;
  std::optional<Found> found;
  bool operator==(const Safe&) const = default;
};

/// A session whose device is gone, or there but of no use.
struct Stranded {
  Session session;
  std::optional<JobId> saving{};       ///< the guest is being saved on this host
  std::optional<Insertion> arrived{};  ///< came back during a job; examined when that has ended
  std::optional<Insertion> idle{};     ///< in a port, but not used: failed, or released
  std::optional<Reason> trouble{};
  std::optional<JobId> exporting{};  ///< it becomes plain files, by way of copies of its disks
  bool operator==(const Stranded&) const = default;
};

/// A session whose guest runs on copies of its disks that this host keeps, without its device.
struct Detached {
  Session session;
  std::optional<JobId> starting{};      ///< the copies are read, the guest is brought back
  std::optional<Insertion> arrived{};   ///< came back meanwhile; examined when that has ended
  std::optional<Insertion> idle{};      ///< in a port, but of no use
  std::optional<EjectAsked> leaving{};  ///< an eject was asked for; done when it is started
  bool operator==(const Detached&) const = default;
};

/// This host's session and the device's newest generation are two histories.
struct Diverged {
  Insertion device;
  Found theirs;
  Session ours;
  std::optional<Work> resolving{};
  Choice choice = Choice::keep_both;  ///< while resolving
  std::optional<Reason> trouble{};
  bool operator==(const Diverged&) const = default;
};

/// The device is there and could not be read or used.
struct Failed {
  Insertion device;
  std::optional<Session> ours;
  Reason reason;
  bool operator==(const Failed&) const = default;
};

using State =
    std::variant<Absent, Examining, Locked, Untrusted, Ready, Launching, Running, Checkpointing,
                 Tending, Ejecting, Safe, Stranded, Detached, Diverged, Failed>;

}  // namespace satchel::core
