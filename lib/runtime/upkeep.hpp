// When the disk files of a capsule are due to be merged or folded, by this host's settings. Pure
// but for what says otherwise.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "config/config.hpp"
#include "core/words.hpp"
#include "format/head.hpp"
#include "runtime/parts.hpp"

namespace satchel {

/// In place of the generation that something was tried on in vain: not by itself again as long as
/// the device is plugged in.
inline constexpr Sequence never_again{std::numeric_limits<std::uint64_t>::max()};

/// Of one generation's disks, in bytes on the device.
struct DiskSizes {
  ByteCount images;
  ByteCount cows;
  ByteCount layers;
  std::size_t most_layers = 0;  ///< of any one disk
};
DiskSizes sizes_of(const format::Head& head);

/// What the COW files may have together before they are folded; none: any size.
std::optional<ByteCount> cow_limit(const Config& config, const format::Head& head);

/// Whether this is the capsule's home host: the one named, else the one that packed it. Looks at
/// the host's own notes: files lane.
Home home_of(const Parts& parts, const format::Head& head);

/// What is to be done, in this order. `older`: the generations before this one that the device has;
/// a merge that is due leaves those that are worth keeping as they are, a fold does not.
std::vector<core::Upkeep> upkeep_due(const Config& config, const format::Head& head,
                                     const std::vector<format::Head>& older, Home home);

/// Whether the settings name folders of the machine, and the newest generation may hold something
/// that the last complete sync has not read. A COW file is not folded before. Loop thread.
bool sync_due(const Parts& parts, const format::Head& newest);

/// Whether a file that a generation names may grow on this device. Not on exFAT: one that grows
/// while the power goes may lose all that it had (docs/decisions/0019-power-cuts.md).
bool may_enlarge(const Volume& volume);

/// Whether a COW file holds anything: a new one is shorter than the first write makes it.
bool is_used(const format::Object& cow);

}  // namespace satchel
