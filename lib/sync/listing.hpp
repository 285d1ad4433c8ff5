// The guest's listing, taken with distrust: sorted, each path once, every parent a directory.
// Blocking; one thread.
#pragma once

#include <stop_token>
#include <vector>

#include "base/ids.hpp"
#include "base/progress.hpp"
#include "sync/guest_tree.hpp"
#include "sync/model.hpp"
#include "sync/report.hpp"

namespace satchel::sync {

struct Listing {
  /// Sorted. What has a place here and isn't carried (`refused`) is among them: it is there, so
  /// nothing of that name was deleted.
  std::vector<GuestEntry> entries;
  std::vector<Line> lines;  ///< of what can't even be named here
};

/// `as_of`: when the generation was made; what was written within two seconds of it, or later by
/// a clock that goes ahead, is read again next time. Throws Fault as GuestTree::list does, and
/// when it lists more than sixteen million names.
Listing take_listing(GuestTree& guest, UnixNanos as_of, const ProgressSink& progress,
                     std::stop_token stop);

}  // namespace satchel::sync
