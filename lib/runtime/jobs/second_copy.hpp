// The second copy of what a check-in or checkpoint writes of the memory: begun on this computer's
// disk, and kept in its cache after the commit. Files lane.
#pragma once

#include <memory>

#include "format/head.hpp"
#include "runtime/jobs/rescue.hpp"
#include "runtime/jobs/shipment.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"

namespace satchel {

/// A copy of the memory on this computer, as far as its disk has room.
std::shared_ptr<Rescue> begin_rescue(const Parts& parts, const std::shared_ptr<Stick>& stick,
                                     const Shipment& shipment);

/// The memory that was written stays here too, for the next time.
void keep_here(const Parts& parts, const Shipment& shipment, const Rescue& rescue,
               const format::Head& committed);

}  // namespace satchel
