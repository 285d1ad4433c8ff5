// The little of libvirt's XML that the adapter itself reads and writes: the host's capabilities, a
// snapshot's description, the probe guest. Machine descriptions are lib/machine's. Pure. Inner
// header of lib/libvirt.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ports/hypervisor.hpp"

namespace satchel {

/// Architecture, emulator, CPU model and machine types for the host's own architecture from
/// virConnectGetCapabilities (https://libvirt.org/formatcaps.html); the rest is left empty.
/// A mistake when this host can't run hvm guests with that accelerator.
Result<HostAbility> read_capabilities(const std::string& xml, Accelerator accelerator);

/// The `<cpu>` element of a guest with libvirt's "host-model", from virConnectGetDomainCapabilities
/// (https://libvirt.org/formatdomaincaps.html). A mistake when this host offers none.
Result<std::string> read_host_model(const std::string& xml);

/// The domain's `<uuid>`; none when it has none or the XML can't be read.
std::optional<DomainId> uuid_in(const std::string& domain_xml);

struct SnapshotParts {
  std::vector<Hypervisor::Overlay> overlays;
  std::string memory{};  ///< path that the memory is written to; empty: disks alone
};
/// A `<domainsnapshot>` that puts the overlays over their disks and leaves the domain's other
/// disks alone (https://libvirt.org/formatsnapshot.html). A mistake for a disk that isn't there.
Result<std::string> snapshot_xml(const std::string& domain_xml, const SnapshotParts& parts);

/// How far a block job on a disk of a live domain is that copies into another file.
enum class Mirror { none, copying, ready, failed };
Mirror mirror_of(const std::string& domain_xml, const std::string& target);

/// libvirt's name ("vda[3]") for the file right below the top one of a live domain's disk; none
/// when there is no such disk or no such file.
std::optional<std::string> file_below(const std::string& domain_xml, const std::string& target);

/// The disks' targets of a domain, in its order.
std::vector<std::string> disk_targets(const std::string& domain_xml);

/// libvirt's names ("vda[3]") for the files that a commit goes between, found by their paths in a
/// live domain's disk. A mistake when they are not there, top is the disk's topmost file, or base
/// is not below top.
struct CommitNames {
  std::string base;
  std::string top;
};
Result<CommitNames> commit_names(const std::string& domain_xml, const LayerCommit& commit);

/// The paths of the files right below a live disk's topmost one, highest first: down to the first
/// that was lent or is not in this directory.
std::vector<std::string> files_below(const std::string& domain_xml, const std::string& target,
                                     const std::filesystem::path& directory);

/// Always the same: libvirt keeps a log for each name that a guest ever had.
std::string probe_name(Accelerator accelerator);
/// A guest of 32 MiB without any disk whose firmware finds nothing to boot and resets at once,
/// which ends it: a guest that ended like that has executed code.
std::string probe_xml(DomainId id, Accelerator accelerator);

/// "kvm" or "qemu": libvirt's name for the accelerator, a domain's `type`.
std::string virt_type(Accelerator accelerator);

}  // namespace satchel
