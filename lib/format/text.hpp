// What names and paths on a device may look like. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satchel::format {

/// Valid UTF-8 (RFC 3629), 1 to 255 bytes, without control characters and without characters that
/// turn the direction of writing or break lines: it can be shown anywhere.
bool is_name(std::string_view text);

/// 1 to 64 characters of [a-z0-9-]: "zstd-blocks-1", "kvm".
bool is_token(std::string_view text);

/// 1 to 32 characters of [A-Za-z0-9_-], and no directory of the capsule's own.
bool is_disk_target(std::string_view text);

/// What is wrong with the path of an object, as a clause; none when it is good.
std::optional<std::string> wrong_with_path(std::string_view path);

/// The directory's name, or empty for a file beside the directories.
std::string_view directory_of(std::string_view path);

/// Image and COW files: changed in place by merges, all other objects never.
bool is_merged_in_place(std::string_view path);

/// The epoch of a COW file: 1 of "vda/cow.qcow2", 3 of "vda/cow-3.qcow2"; none for any other name,
/// "cow-1.qcow2" and "cow-03.qcow2" among them.
std::optional<std::uint64_t> epoch_of_cow(std::string_view path);
/// "vda/cow.qcow2" in the first epoch, "vda/cow-3.qcow2" in the third.
std::string cow_path(std::string_view target, std::uint64_t epoch);

/// As vfat and exFAT compare the characters that paths may have.
std::string folded(std::string_view path);

}  // namespace satchel::format
