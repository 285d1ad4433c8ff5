// What `doctor` looks at on this host, one by one; none of them throws. Loop thread for the tasks;
// what blocks says so.
#pragma once

#include <string_view>

#include "async/lanes.hpp"
#include "base/ids.hpp"
#include "runtime/commands.hpp"
#include "runtime/parts.hpp"

namespace satchel {

Task<Finding> libvirt_answers(Hypervisor& hypervisor);
/// Whether the network is up that machines' cards are for. Where libvirt does not answer: unknown.
Task<Finding> network_is_active(Hypervisor& hypervisor, const Config& config);
Task<Finding> udisks_answers(Volumes& volumes);
Task<Finding> polkit_is_there(Authority& authority);
/// Starts a guest with KVM. `files`: where a question to systemd may block.
Task<Finding> kvm_works(Hypervisor& hypervisor, Lane& files);

/// Blocking. satchel-sync links libguestfs, which a computer may lack.
Finding sync_worker(const Parts& parts);
/// Blocking. The space for sessions.
Finding host_space(const Parts& parts);
/// Blocking. What AppArmor refused guests since boot, as the journal has it.
Finding apparmor_refusals();
/// The same from the kernel's lines, one refusal each, newest first.
Finding apparmor_finding(std::string_view lines);
/// A clock that is before something already written is wrong: times order what people see.
/// When satcheld's program was made; 0 when nobody knows. Files lane.
UnixMicros time_of_program();
/// A clock is wrong that is before what was already written, or before this program.
Finding clock_finding(UnixMicros now, const HostView& view, UnixMicros program);

}  // namespace satchel
