// How one generation's head follows from the one before. Pure but for the store_ functions, which
// write an object (files lane).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "core/words.hpp"
#include "format/capsule_directory.hpp"
#include "format/head.hpp"
#include "hibernation/page_codec.hpp"
#include "ports/hypervisor.hpp"
#include "runtime/parts.hpp"
#include "runtime/seen_generation.hpp"

namespace satchel {

/// Who commits, when.
struct Author {
  HostId host;
  std::string host_name;
  UnixMicros time;
};
Author author(const Parts& parts);

/// The head after `before`: the same objects and description, a new generation by this author,
/// checked in, one more line of history.
format::Head next_head(const format::Head& before, const Author& by, std::string what);
/// The first head of a capsule: no objects, disks or machine yet. `what` made it: "pack".
format::Head first_head(CapsuleId capsule, std::string name, const Author& by, std::string what);

/// What history calls the commits that begin and end a session on the device, and those that put it
/// in order; they are looked for.
namespace what {
inline constexpr auto check_out = "check out";
inline constexpr auto checked_out = ", checked out";  ///< behind "pack" of a running machine
inline constexpr auto eject = "eject";
inline constexpr auto checkpoint = "checkpoint";
inline constexpr auto launch_undone = "launch undone";
inline constexpr auto merge_begun = "merge begun";
inline constexpr auto merge = "merge";
inline constexpr auto fold_begun = "fold begun";
inline constexpr auto fold = "fold";
inline constexpr auto compact = "compact";
inline constexpr auto back_to = "back to ";  ///< before a generation's number
}  // namespace what

/// The name of another host whose session here was taken over and has not ended since, as far as
/// history tells: it may still need what this generation's files held. Empty: none.
std::string still_needed_by(const format::Head& head, const HostId& here);

/// The newest generation as the state machine of this host sees it. `ours`: the session that is
/// open here.
core::Found found_from(const format::Head& head, const HostId& here,
                       const std::optional<SeenGeneration>& seen,
                       const std::optional<Session>& ours);

/// Adds an object, in its place by path; one of that path is replaced.
void add_object(format::Head& head, format::Object object);
/// Drops the objects that nothing in the head names any more.
void drop_unnamed_objects(format::Head& head);

/// Sets the hibernation file from what the codec wrote.
struct SavedMemory {
  format::Object pages;
  format::Object map;
  ByteCount stream_size;
  Accelerator accelerator;
  std::string emulator;
  GuestState before;  ///< as it was before it was suspended
  /// Objects of earlier generations that the map refers to; the head has them already.
  std::vector<std::string> segments{};
  std::string codec = hibernation::page_codec;
};
void set_hibernation(format::Head& head, SavedMemory memory);

/// Bytes of those objects of `head` that `before` does not have.
ByteCount new_bytes(const format::Head& head, const format::Head& before);

format::Object store_bytes(format::CapsuleDirectory& capsule, std::string_view bytes,
                           std::string object);
format::Object store_file(format::CapsuleDirectory& capsule, const std::filesystem::path& file,
                          std::string object);

}  // namespace satchel
