// Small files of this computer, read whole with every error told. Blocking; any thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace satchel {

/// What becomes of a symbolic link in a path's last place.
enum class LastLink { refuse /* ELOOP */, follow };

/// None when there is no such file. Throws Fault (host_fault_from_errno).
std::optional<std::string> find_host_file(const std::filesystem::path& file,
                                          LastLink link = LastLink::refuse);
/// The same of one that has to be there.
std::string read_host_file(const std::filesystem::path& file, LastLink link = LastLink::refuse);

}  // namespace satchel
