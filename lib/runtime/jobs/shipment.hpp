// What one check-in or checkpoint brings to the device: its pieces between the steps, and the steps
// that need no guest. Files lane, but for expected_bytes().
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "format/capsule_directory.hpp"
#include "hibernation/page_codec.hpp"
#include "runtime/pace.hpp"
#include "runtime/parts.hpp"
#include "runtime/stick.hpp"
#include "session/session.hpp"

namespace satchel {

struct Shipment {
  format::CapsuleDirectory capsule;
  format::SignedHead newest;
  format::Head next;
  hibernation::PageBase base;                    ///< what the device has of the memory already
  std::vector<hibernation::Segment> segments{};  ///< of the memory that was shipped, its own first
  std::shared_ptr<Pace> pace{};                  ///< none: as fast as can be

  /// Called for all that is written: waits as long as the pace asks for.
  void written(std::size_t bytes, std::stop_token stop) const {
    if (pace) pace->spend(ByteCount(bytes), stop);
  }
};

/// Throws Fault when the device holds another history, or has too little room as far as that can be
/// known now. The session follows what the device says of its chain. `what`: for history.
Shipment prepare_shipment(const Parts& parts, Stick& stick, Session& session, std::string what,
                          bool with_memory, const JobContext& job);

/// Of overlays and memory, for the job's meter.
ByteCount expected_bytes(const Shipment& shipment, const Session& session, bool with_memory);

/// Everything but the memory, and the commit. The guest is suspended or off, or none of these files
/// is written to any more.
format::SignedHead ship_rest_and_commit(const Parts& parts, Shipment& shipment,
                                        const Session& session, Meter& meter, std::stop_token stop);

/// What makes the device tidy after a commit. The commit stands whatever becomes of it.
void tidy(const Parts& parts, Shipment& shipment, ByteCount written,
          std::chrono::milliseconds took);

}  // namespace satchel
