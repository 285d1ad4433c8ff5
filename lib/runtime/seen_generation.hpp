// The newest generation of a capsule that this host has seen, kept in the state directory. A device
// without it in its past is an older copy, or one that went on apart. It only ever warns: what is
// not known here speaks for the device. Any thread; load_seen() and store_seen() block.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/words.hpp"
#include "format/head.hpp"

namespace satchel {

struct SeenGeneration {
  Sequence seq;
  GenerationId id;
  std::string host_name;  ///< that committed it
  UnixMicros time;
  /// As far as its head's history goes, itself included; oldest first.
  std::vector<std::pair<Sequence, GenerationId>> past;
  bool operator==(const SeenGeneration&) const = default;
};
SeenGeneration seen_in(const format::Head& head);

enum class Noting {
  if_newer,  ///< unless the device lacks what was seen before
  as_ours,   ///< this host goes on from here, whatever it has seen
};
/// What is remembered once this newest generation of a device was seen.
SeenGeneration seen_after(const std::optional<SeenGeneration>& before, const format::Head& newest,
                          Noting how);

/// What a device with this newest generation lacks of what was seen. None: it goes on from there,
/// or nothing is known that says otherwise.
std::optional<core::Lacking> lacking(const SeenGeneration& seen, const format::Head& newest);

/// None when there is no such record, or none that can be understood.
std::optional<SeenGeneration> load_seen(const std::filesystem::path& state_directory,
                                        CapsuleId capsule);
/// Durable when it returns. Throws Fault.
void store_seen(const std::filesystem::path& state_directory, CapsuleId capsule,
                const SeenGeneration& seen);

}  // namespace satchel
