// The generations before the newest that stay on a device: which are worth their place, what can be
// gone back to, and what their files keep from being merged. Pure but for what takes a
// CapsuleDirectory: files lane.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "format/capsule_directory.hpp"
#include "format/head.hpp"

namespace satchel {

/// Whether a commit of that name left disks and memory as they were: a mark, a merge, a fold.
bool keeps_content(const std::string& what);

/// Neighbouring lines of a history, [first, last], whose generations have the same content.
struct Content {
  std::size_t first;
  std::size_t last;
};
/// Newest first. A line that was dropped between two begins another, as it is not known.
std::vector<Content> contents(const std::vector<format::Past>& history);

/// The last generation of each content that is worth keeping, newest first, at most `most`, without
/// the newest's own. A checkpoint is no such content when its own session went on from it.
std::vector<Sequence> worth_keeping(const format::Head& newest, unsigned most);

/// Of `older`, what is worth keeping.
std::vector<format::Head> kept_among(const std::vector<format::Head>& older,
                                     const format::Head& newest, unsigned most);

/// The generations of newest's history that one of `older` has the content of, oldest first.
std::vector<Sequence> restorable(const format::Head& newest,
                                 const std::vector<format::Head>& older);
/// The one of `older` that has the content of generation `to`; none of them: nullptr.
const format::Head* with_content_of(Sequence to, const format::Head& newest,
                                    const std::vector<format::Head>& older);

/// Whether all that is written to file `base` of this chain when the files up to `top` are merged
/// into it is hidden from `other` by its own files.
bool is_hidden(const format::Head& other, const format::Disk& disk, std::size_t base,
               std::size_t top);
/// The topmost file of the chain that can be merged downwards without any of `kept` seeing it.
std::size_t top_hidden(const std::vector<format::Head>& kept, const format::Disk& disk);

/// Removes from the device what is neither needed by the newest two generations nor by those worth
/// keeping; of these go, the oldest first, those for which there is no room (generations.free).
/// Throws Fault.
void sweep(const Config& config, format::CapsuleDirectory& capsule, const format::Head& newest);
/// The same, when less than `needed` is free: older generations go until it is. Gives what is free
/// then. Throws Fault.
ByteCount make_room(const Config& config, format::CapsuleDirectory& capsule,
                    const format::Head& newest, ByteCount needed);

}  // namespace satchel
