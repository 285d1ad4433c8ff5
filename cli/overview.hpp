// What the daemon shows on the bus, read into the views that it was made from. Pure.
#pragma once

#include <optional>
#include <string>

#include "bus/values.hpp"
#include "runtime/view.hpp"

namespace satchel::cli {

inline constexpr auto service_name = "org.satchel.Satchel1";
inline constexpr auto root_path = "/org/satchel/Satchel1";
inline constexpr auto manager_interface = "org.satchel.Satchel1.Manager";
inline constexpr auto device_interface = "org.satchel.Satchel1.Device";
inline constexpr auto capsule_interface = "org.satchel.Satchel1.Capsule";
inline constexpr auto job_interface = "org.satchel.Satchel1.Job";

std::string path_of(DeviceNumber device);
std::string path_of(CapsuleId capsule);

/// Everything, from the answer to GetManagedObjects (which lacks the root's own properties) and the
/// Manager's properties. Devices by number, capsules by name.
HostView read_overview(const ManagedObjects& objects, const Dictionary& manager);
JobView read_job(const std::string& path, const Dictionary& job);

/// The device of that number, or null.
const DeviceView* device_of(const HostView& host, std::optional<DeviceNumber> number);

}  // namespace satchel::cli
