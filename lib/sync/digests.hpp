// The digests that a plan needs: remembered where a stamp may be believed, read where not. Inside
// lib/sync only. Blocking; one thread.
#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <vector>

#include "base/progress.hpp"
#include "sync/guest_tree.hpp"
#include "sync/model.hpp"
#include "sync/report.hpp"

namespace satchel::sync {

/// Fills in what is remembered of files to which nothing was done since.
void recall_digests(const Records& records, std::vector<GuestEntry>& guest,
                    std::vector<HostEntry>& host);

/// Reads these of the guest's files; counts what was read. What can't be read is refused from then
/// on. Throws Fault as GuestTree::read does.
void digest_guest_files(GuestTree& guest, std::vector<GuestEntry>& entries,
                        std::span<const std::size_t> which, Counts& counts,
                        const ProgressSink& progress, std::stop_token stop);

}  // namespace satchel::sync
