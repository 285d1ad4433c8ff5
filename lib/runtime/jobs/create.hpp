// Making a capsule of a machine that was none before: from a disk image in one of the formats that
// people have, or with an empty disk, and with an installation medium beside it. The image is only
// read, through the descriptor that was given.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/handle.hpp"
#include "disk/image_format.hpp"
#include "format/capsule_directory.hpp"
#include "machine/building.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"

namespace satchel {

struct CreateOrder {
  std::shared_ptr<Stick> stick;
  CapsuleId capsule;
  machine::Wish wish;  ///< accelerator, machine type and CPU are the job's to fill in
  UniqueFd disk;       ///< the image; none: an empty disk of `size`
  std::optional<disk::ImageFormat> format;  ///< of the image; none: as its magic says
  ByteCount size;
  UniqueFd cdrom;  ///< the medium; none: no CD drive
};

struct Created {
  format::SignedHead head;
  std::vector<std::string> notes;  ///< sentences: what was decided
};

Task<Created> create(Parts& parts, CreateOrder order, JobContext job);

}  // namespace satchel
