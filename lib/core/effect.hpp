// What the runtime is to do, in the imperative. Those with a `job` begin one that ends with exactly
// one JobEnded (or Examined); the others are done at once. An effect is performed after the new
// state was assigned, which has whatever else it needs. Values; any thread.
#pragma once

#include <variant>

#include "core/event.hpp"
#include "core/words.hpp"

namespace satchel::core {

/// Mount, read the heads, verify.
struct StartExamine {
  JobId job;
  Insertion device;
};
/// Preflight, overlay, check the generation out, restore or boot.
struct StartLaunch {
  JobId job;
  LaunchFrom from;
};
/// Suspend, ship, commit, read back, end the guest, merge the layers if asked, release the device.
/// Cancelling or losing the device before the commit leaves the guest alive; a cancel after it ends
/// the merge alone, and the eject has succeeded.
struct StartEject {
  JobId job;
  Requester by;
  MergeToo merge = MergeToo::no;
};
/// Unmount and power off, unless another capsule on the device is in use.
struct ReleaseDevice {
  JobId job;
};
struct StartCheckpoint {
  JobId job;
  Requester by;
};
/// Merge or fold; what the guest reads stays the same. Cancelling it, or losing the device, leaves
/// every chain as good as it was.
struct StartUpkeep {
  JobId job;
  Upkeep what;
  Requester by;
  Although although = Although::refuse;
};
/// Commit the content of an earlier generation anew; ends as an examination does, with Examined, or
/// with JobEnded when the device has what it had.
struct StartRollback {
  JobId job;
  Sequence to;
};
/// Save the paused guest on this host.
struct SaveStranded {
  JobId job;
};
/// Give the session's guest the device's files again, retry its failed writes, go on.
struct Reattach {
  JobId job;
};
/// Let the session's guest go on without its device, on copies of its disks that this host keeps:
/// from its memory, or with `session` by booting.
struct GoOnDetached {
  JobId job;
  LaunchFrom from;
};
/// Carry a choice out that takes time: keep_both or export_ours. A guest still in memory is saved
/// first.
struct Resolve {
  JobId job;
  Choice choice;
};
/// Ask the job to end soon; it still ends with its own event, which may be success.
struct Cancel {
  JobId job;
};
struct PauseGuest {};
struct ResumeGuest {};

enum class DropCause {
  checked_in,  ///< the device holds it
  never_ran,
  discarded,  ///< the user's choice
  resolved,   ///< kept elsewhere by the user's choice
};
/// Remove the session's journal and files; a guest that is still there is destroyed.
struct DropSession {
  SessionId session;
  DropCause cause;
};

enum class Notice {
  ready,
  checked_out_elsewhere,
  older_copy,
  another_branch,
  newest_damaged,
  needs_unlock,
  needs_trust,
  examination_failed,
  running,
  launch_failed,
  guest_off,
  guest_halted,
  ejecting,
  eject_failed,
  safe,
  checkpoint_failed,
  upkeep_failed,
  stranded,
  save_failed,
  detached,
  diverged,
};
/// Let the person know; the text is that of the new state.
struct Tell {
  Notice notice;
};

using Effect = std::variant<StartExamine, StartLaunch, StartEject, ReleaseDevice, StartCheckpoint,
                            StartUpkeep, StartRollback, SaveStranded, Reattach, GoOnDetached,
                            Resolve, Cancel, PauseGuest, ResumeGuest, DropSession, Tell>;

}  // namespace satchel::core
