// What satchelctl prints for programs. Names as the bus has them, in snake_case; sizes in bytes,
// instants in microseconds since 1970, UTC. Pure; each gives one line.
#pragma once

#include <string>
#include <vector>

#include "exit_code.hpp"
#include "osinfo/systems.hpp"
#include "ports/volumes.hpp"
#include "runtime/commands.hpp"
#include "runtime/view.hpp"

namespace satchel::cli {

std::string json_of(const HostView& host);
std::string json_of(const HostView& host, const CapsuleView& capsule);
std::string json_of(const DeviceView& device);
/// Its generations, newest last.
std::string json_of_history(const CapsuleView& capsule);
std::string json_of_list(const HostView& host, const std::string& kind);
std::string json_of(const std::vector<Finding>& findings);
/// How a job ended, and what it was about: {"job", "result", "message", "can_unplug"}
std::string json_of(const std::vector<JobEnd>& ends, bool can_unplug);
std::string json_of(const Refusal& refusal);
/// The operating systems that are known: {"id", "name"} each.
std::string json_of_systems(const std::vector<osinfo::Systems::Entry>& systems);
/// One of monitor's lines.
std::string json_of_event(const std::string& kind, const std::string& object,
                          const std::string& what);

}  // namespace satchel::cli
