// How satchel-sync is started: as a unit of its own under systemd, else as a child. Pure but for
// looking what is there.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace satchel {

enum class Init { systemd, other };
/// What this computer was booted with.
Init init_here();

/// `worker` is the program. With systemd it runs as `owner` behind walls of its own, with write
/// access to the folders and to the owner's directory below `state`; see systemd/sandboxing.md.
std::vector<std::string> sync_command(Init init, const std::filesystem::path& worker,
                                      const std::string& owner,
                                      const std::vector<std::string>& folders);

/// satchel-sync, which is installed beside this program.
std::filesystem::path worker_program();

}  // namespace satchel
