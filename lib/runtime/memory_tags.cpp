#include "runtime/memory_tags.hpp"

#include <string>

#include "base/fault.hpp"
#include "hibernation/cell_tags.hpp"
#include "hibernation/stream_parser.hpp"
#include "runtime/host_room.hpp"
#include "runtime/parts.hpp"

namespace satchel {

MemoryTags::Tags begin_tags(const Parts& parts, CapsuleId capsule, ByteCount memory) {
  const auto directory = parts.shelf.directory(capsule);
  const auto needed = memory.value / hibernation::page_size * sizeof(ContentTag);
  try {
    if (free_space(directory) < parts.config.space.keep_free_host + ByteCount(needed))
      return nullptr;
    return hibernation::CellTags::make(directory);
  } catch (const Fault& failure) {
    parts.log.debug(std::string(failure.what()) +
                    "; pages that do not change are told by their names");
    return nullptr;
  }
}

}  // namespace satchel
