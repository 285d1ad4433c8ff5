// The disk chains of a generation on a device: opened and checked on the very descriptors that the
// hypervisor then gets, so that what was checked is what is used.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "format/capsule_directory.hpp"
#include "format/head.hpp"
#include "machine/writing.hpp"
#include "ports/hypervisor.hpp"
#include "session/session.hpp"

namespace satchel {

/// Opens a file of a generation for reading, as large as its head says. Throws Fault.
using OpenObject = std::function<UniqueFd(const format::Object&)>;
/// That of the device; good while the directory lives.
OpenObject opener(const format::CapsuleDirectory& capsule);

/// A disk's files, opened for reading and checked against the head and by structure: backing names
/// are those of the chain, formats qcow2, sizes sane. Bottom first. Throws Fault naming the file.
std::vector<UniqueFd> open_chain(const format::CapsuleDirectory& capsule, const format::Head& head,
                                 const format::Disk& disk);
std::vector<UniqueFd> open_chain(const OpenObject& open, const format::Head& head,
                                 const format::Disk& disk);

/// Throws Fault when the chains are too long to be opened all at once.
void check_length(const format::Head& head);

/// "image.qcow2" of "vda/image.qcow2": what the file above names as its backing file.
std::string file_name(const std::string& object_path);

/// The session's disks as the domain XML shows them, and the descriptors that stand for them: for
/// reading only below the overlays. The paths are for people to read: nothing is there.
struct LentChains {
  std::vector<machine::SessionDisk> disks;
  std::vector<LentFiles> files;
};
LentChains lend_chains(const OpenObject& open, const format::Head& head,
                       const std::vector<DiskOverlay>& overlays);

/// The groups of these files.
std::vector<std::string> groups_of(const std::vector<LentFiles>& files);

/// For a start that does not come about: libvirt would keep the device's files open, and it could
/// not be ejected. Nothing to do for files that a start has used up. Main loop; throws Fault.
Task<void> take_back(Hypervisor& hypervisor, DomainId domain, std::vector<std::string> groups);

}  // namespace satchel
