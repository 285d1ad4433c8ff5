// The values that the per-host state machine thinks in: what a device was found to hold, what a
// session is, who asked, what may be chosen. Plain values without behaviour; any thread.
#pragma once

#include <optional>
#include <string>

#include "base/ids.hpp"

namespace satchel::core {

/// One stay of a device in a port. The runtime gives a new number at each insertion and the same
/// one for every report about the same stay, so that a repeated report is known as such.
using Insertion = Tagged<struct InsertionTag, std::uint64_t>;

/// Why something is as it is, and what the person can do about it: one sentence each.
struct Reason {
  std::string what;
  std::string next;
  bool operator==(const Reason&) const = default;
};

enum class Requester {
  person,         ///< the bus, the CLI, the applet
  desktop,        ///< "safely remove" in a file manager, an eject button
  policy,         ///< what satchel.yaml says
  host_shutdown,  ///< the computer goes down
};

enum class Holder { this_host, another_host };

/// Who took the newest generation out to run it and has not brought it back.
struct CheckedOut {
  HostId host;
  std::string host_name;
  SessionId session;
  UnixMicros time;
  Holder holder = Holder::another_host;
  bool operator==(const CheckedOut&) const = default;
};

/// A generation of the capsule that the newest one on the device is without. This host has seen it,
/// and the device is a copy, or was restored from one; or it was committed there and is damaged.
struct Lacking {
  enum class How {
    older_copy,      ///< the device's newest generation came before it
    another_branch,  ///< the device went on from an ancestor of it by another way
    damaged,         ///< it is on the device, and not whole
  };
  How how = How::older_copy;
  Sequence sequence;
  std::string host_name{};  ///< that committed it; not known of a damaged one
  UnixMicros time{};        ///< the same
  bool operator==(const Lacking&) const = default;
};

/// The newest generation of the capsule on the device, as verified.
struct Found {
  GenerationId id;
  Sequence sequence;
  HostId last_host;
  std::string last_host_name;
  UnixMicros time;
  bool has_memory = false;  ///< false: the guest was shut down, a launch boots it
  std::optional<CheckedOut> checked_out;
  /// The name of another host whose session here was taken over and not given up since: it may
  /// still need what a merge or fold changes. Empty: none.
  std::string needed_by{};
  std::optional<Lacking> lacks{};
  /// What the last eject of this host's session was to commit is in its past, or is this.
  bool holds_our_eject = false;
  /// It is older than what this host's session goes on from, and lacks files below its overlays.
  bool lacks_our_files = false;
  bool operator==(const Found&) const = default;
};

/// What there is of a session's guest.
enum class Guest {
  unborn,  ///< it never ran: there is nothing to keep
  runs,
  paused,  ///< by somebody, its disks are well
  halted,  ///< paused, and its disk files failed or belong to an insertion that is over
  saved,   ///< not in memory; a save image is on this host
  off,     ///< shut down or crashed; its disk changes are on this host
};

/// What a guest did after an eject of it was attempted.
enum class Since { nothing, ran_on };

/// One run of the capsule on this host. Exists until the device holds what it did, or until the
/// user gives it up.
struct Session {
  SessionId id;
  GenerationId base;  ///< the generation on the device that it goes on from
  /// The generation that its eject is about to commit or has committed just before a crash.
  std::optional<GenerationId> committing;
  DomainId domain;
  Guest guest = Guest::unborn;
  /// Since that attempt to commit the guest has run on: whatever became of it, there is more here.
  Since since_commit = Since::nothing;
  /// A guest that lives reads copies of its disks on this host, and none of its device's files.
  bool on_copies = false;
  bool operator==(const Session&) const = default;
};

/// How to go on when the device and this host have different histories.
enum class Choice {
  continue_device,  ///< give up this host's session and run the device's newest generation
  keep_both,        ///< this host's session becomes a new capsule beside the device's
  export_ours,      ///< this host's session becomes plain files on this host
  discard_ours,     ///< give up this host's session; run nothing
};

/// The work on a capsule's disk files that needs no guest: layers into the COW file, and that into
/// the image file.
enum class Upkeep { merge, fold, compact };

enum class OnInsert { resume, ask };

/// What the host's configuration decides.
struct Policy {
  OnInsert on_insert = OnInsert::resume;
};

}  // namespace satchel::core
