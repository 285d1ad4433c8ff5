// The commit record: 512 bytes, one sector, as docs/DEVICE-FORMAT.md lays them out. Values only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/ids.hpp"
#include "crypto/digest.hpp"

namespace satchel::format {

struct SlotRecord {
  Sequence seq;
  GenerationId id;
  std::optional<GenerationId> parent;
  Digest head;  ///< of the head file's bytes
  bool operator==(const SlotRecord&) const = default;
};

using SlotBytes = std::array<std::byte, 512>;

SlotBytes write_slot(const SlotRecord& record);

enum class SlotState { valid, empty /* all zero, as preallocated */, torn, unknown_version };

struct SlotReading {
  SlotState state = SlotState::torn;
  std::optional<SlotRecord> record;  ///< when valid
  std::uint32_t version = 0;         ///< when unknown_version
};

SlotReading read_slot(std::span<const std::byte> bytes);

}  // namespace satchel::format
