// A machine's disk files, compared with the digests that its newest head states before anybody uses
// what is in them: a stick that decays tells nobody (docs/decisions/0038). Files lane; all throw
// Fault.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "format/capsule_directory.hpp"
#include "format/head.hpp"
#include "runtime/parts.hpp"

namespace satchel {

/// What is going to be read: what a guest asks for, or every byte.
enum class DiskUse { by_guest, whole };

/// Of these chains, the files that are to be compared before that use. Left out is what a merge or
/// fold may have changed whose end no digest tells of (format::under_way()): of that nobody can
/// tell. Layers that the newest head does not name are as `older` states them.
std::vector<format::Object> files_to_check(const Config& config, DiskUse use,
                                           const format::Head& newest,
                                           const std::vector<std::vector<std::string>>& chains,
                                           const format::Head* older = nullptr);
/// All disks of the head.
std::vector<std::vector<std::string>> chains_of(const format::Head& head);
/// The bytes to read.
ByteCount size_of(const std::vector<format::Object>& files);

/// Reads them from end to end, at most `rate` bytes a second (0: any). Throws Fault{other_device}
/// that names the first one that is not as it was written or can't be read, though the device can,
/// and the generations that do without it. A commit that comes meanwhile has the last word on what
/// it changes in place.
void compare_disks(format::CapsuleDirectory& capsule, const format::Head& newest,
                   const std::vector<format::Object>& files, const JobContext& job,
                   ByteCount rate = {});

}  // namespace satchel
