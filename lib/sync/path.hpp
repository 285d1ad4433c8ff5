// Paths below a root, as bytes: their order, their parts, and which of them a guest may name.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::sync {

/// The longest name that Linux has, in bytes.
constexpr std::size_t longest_name = 255;
/// At the top of the host's folder: what syncs took away, a folder for each.
constexpr std::string_view trash_name = ".satchel-trash";

/// A folder's content follows it directly: '/' comes before all other bytes.
struct TreeOrder {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

std::string_view parent_of(std::string_view path);  ///< "" for what stands at the top
std::string_view name_of(std::string_view path);
std::string joined(std::string_view directory, std::string_view name);
/// Whether it is inside the directory, at any depth; not the directory itself.
bool is_below(std::string_view path, std::string_view directory);
std::size_t depth_of(std::string_view path);  ///< 1 for what stands at the top

/// Why nothing may come from a guest under this path; none when it may.
std::optional<std::string> refusal_of_path(std::string_view path);

/// Whether a link at `path` can lead to nothing above the root, whatever stands on its way: only
/// relative, and going up only in front, by no more than its depth.
bool stays_inside(std::string_view path, std::string_view target);

/// A file that is being written, in the folder that it is for. What is left of a killed sync is
/// known by it.
bool is_temporary(std::string_view name);
std::string temporary_name();  ///< a new one each time

}  // namespace satchel::sync
