// What is in the host's folder, and the contents of its files as digests. Blocking; one thread.
#pragma once

#include <stop_token>
#include <vector>

#include "base/progress.hpp"
#include "sync/host_tree.hpp"
#include "sync/model.hpp"

namespace satchel::sync {

/// What a killed sync left half written.
enum class Leftovers { left, removed };

/// Everything below the folder but the trash, sorted. What can't be looked into is closed. Throws
/// Fault when the folder itself can't be read, and Remedy::retry when stopped.
std::vector<HostEntry> scan_host(HostTree& tree, Leftovers leftovers, const ProgressSink& progress,
                                 std::stop_token stop);

/// Fills in the digest, or closes the entry when it can't be read or changes meanwhile. Throws
/// Fault with Remedy::retry when stopped.
void digest_host_file(HostTree& tree, HostEntry& entry, std::stop_token stop);

/// The version there is now, as a sync remembers it; the digest is the caller's.
Seen seen_on_host(const Found& found, const std::optional<Digest>& digest);

}  // namespace satchel::sync
