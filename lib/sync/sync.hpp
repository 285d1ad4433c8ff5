// A guest's folder merged into a host's: three ways, against what both had at the last sync. Runs
// as the owner of the host's folder and needs no more rights than that. Blocking; one thread.
#pragma once

#include <stop_token>
#include <string>

#include "base/ids.hpp"
#include "base/progress.hpp"
#include "sync/guest_tree.hpp"
#include "sync/report.hpp"

namespace satchel::sync {

enum class Extent { whole, dry_run /* nothing at all is written */ };

/// What a side that has become empty means: a filesystem that isn't mounted, or a wish.
enum class Emptiness { refused, meant };

struct Order {
  std::string capsule_name;  ///< as in the names of conflict copies
  std::string guest_shown;   ///< the guest's folder, for messages
  std::string host_shown;    ///< the host's folder, for messages
  int target = -1;           ///< a directory: what is written to, and nowhere above it
  /// A directory of this capsule's and mapping's own, which the owner may write to: the state of
  /// the last sync. Locked while a sync is under way.
  int state = -1;
  UnixNanos now;    ///< names conflict copies and the trash folder, by local time
  UnixNanos as_of;  ///< when the guest's generation was made; 0 when that is not known
  std::uint32_t umask = 022;
  unsigned trash_days = 30;
  Extent extent = Extent::whole;
  Emptiness emptiness = Emptiness::refused;
};

/// Brings the host's folder up to date. Killed or failed at any point it is simply run again.
/// Throws Fault: free_space before anything was changed when there is not enough; retry when
/// stopped or when another sync of the same state is under way; choose when a side has become
/// empty.
Report synchronise(const Order& order, GuestTree& guest, const ProgressSink& progress,
                   std::stop_token stop);

}  // namespace satchel::sync
