// What can happen to a capsule on this host, in the past tense. Facts are reported by the parts
// that see them and may come twice, late or out of order; what somebody asked for is answered.
// Values; any thread.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/words.hpp"

namespace satchel::core {

// What was seen of the device.

/// The same insertion any number of times: only the first counts.
struct DeviceAppeared {
  Insertion device;
};
struct DeviceGone {
  Insertion device;
};
/// Unmounted (and powered off) on behalf of another capsule on the same device.
struct DeviceReleased {
  Insertion device;
};

struct NeedsUnlock {};
struct NeedsTrust {
  std::string fingerprint;
};
/// An examination has ended with an answer. It ends with JobEnded when it has none.
struct Examined {
  JobId job;
  std::variant<Found, NeedsUnlock, NeedsTrust, Reason> verdict;
};

// What somebody asked for.

struct UnlockGiven {};  ///< the device is unlocked now
struct TrustGiven {};   ///< an administrator approved the signer

enum class TakeOver { no, yes };
enum class Memory { use, ignore };
enum class ThisCopy { no, yes };
enum class WithoutDevice { no, yes };
struct LaunchAsked {
  Requester by = Requester::person;
  TakeOver take_over = TakeOver::no;  ///< although another session has it checked out
  Memory memory = Memory::use;        ///< ignore: boot from disk, keep the hibernation file
  ThisCopy this_copy = ThisCopy::no;  ///< although this host has seen what the device lacks
  /// Of what this host keeps of the disks, although the device is gone or of no use.
  WithoutDevice without_device = WithoutDevice::no;
  bool operator==(const LaunchAsked&) const = default;
};
enum class MergeToo { no, yes };
struct EjectAsked {
  Requester by = Requester::person;
  MergeToo merge = MergeToo::no;  ///< once the device has the machine, its layers are merged
  bool operator==(const EjectAsked&) const = default;
};
/// `although`: another host's session may still need what is changed.
enum class Although { refuse, go_on };
struct UpkeepAsked {
  Upkeep what = Upkeep::merge;
  Although although = Although::refuse;
};
struct CheckpointAsked {};
/// A generation that the device still has is to be the newest again. `although`: another host's
/// session may still need the files of the newest one.
struct RollbackAsked {
  Sequence to;
  Although although = Although::refuse;
};
struct CancelAsked {};
struct ChoiceMade {
  Choice choice;
};

// What became of jobs.

enum class DeviceUse {
  released,  ///< unmounted and powered off
  kept,      ///< still mounted, because another capsule on it is in use
};
struct Done {
  std::optional<Found> found;      ///< the newest generation, where the job made or changed one
  std::optional<Session> session;  ///< the session as it is now, where one goes on
  DeviceUse device = DeviceUse::kept;
};
enum class DeviceHealth { works, lost };
/// Undone as far as possible; `session` is what there is of it now.
struct JobFailed {
  Reason reason;
  std::optional<Session> session;
  DeviceHealth device = DeviceHealth::works;
  std::optional<Found> found{};  ///< the newest generation now; undoing may have committed one
};
struct Cancelled {
  std::optional<Session> session;
  std::optional<Found> found{};
};
struct JobEnded {
  JobId job;
  std::variant<Done, JobFailed, Cancelled> outcome;
};

// What was seen of the guest, not caused by a job of ours.

enum class GuestEnd { by_itself, crashed, by_host };
struct GuestStopped {
  GuestEnd how;
};
enum class GuestPause { by_somebody, by_error };
struct GuestPaused {
  GuestPause why;
};
struct GuestResumed {};  ///< or started by somebody

// The rest.

enum class LaunchFrom {
  memory,      ///< the hibernation file
  disk,        ///< boots the generation's disks
  session,     ///< boots the disks of the session that is open
  afresh,      ///< the same, although its guest is saved here
  reattached,  ///< goes on with the session's own guest, or its save image, on this device again
};

/// The journal holds a session. Told at start-up, before any device is, and when libvirt is back
/// that could not say what had become of one.
struct SessionFound {
  Session session;
  std::optional<Insertion> device;  ///< when it is in a port
};
/// Enough time has passed, or enough was written, for a checkpoint.
struct CheckpointDue {};
/// A stranded guest that is held in memory may be saved now: its last save failed, or it was found
/// alive when it was taken to be saved or off.
struct SaveDue {
  enum class Guest { as_known, found_alive };
  Guest guest = Guest::as_known;
};
/// There are many layers, or the COW file has become large.
struct UpkeepDue {
  Upkeep what;
};
/// The capsule was deleted from its device.
struct CapsuleRemoved {};
/// A pack made this capsule; the session goes on when the machine was running.
struct Packed {
  Insertion device;
  Found found;
  std::optional<Session> session;
};

using Event =
    std::variant<DeviceAppeared, DeviceGone, DeviceReleased, Examined, UnlockGiven, TrustGiven,
                 LaunchAsked, EjectAsked, CheckpointAsked, UpkeepAsked, RollbackAsked, CancelAsked,
                 ChoiceMade, JobEnded, GuestStopped, GuestPaused, GuestResumed, SessionFound,
                 CheckpointDue, SaveDue, UpkeepDue, CapsuleRemoved, Packed>;

}  // namespace satchel::core
