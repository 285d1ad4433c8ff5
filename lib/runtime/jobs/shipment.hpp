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

/// What of the disks is on the device, for the next head.
struct ShippedLayers {
  std::vector<format::Disk> disks;
  std::vector<format::Object> objects;
};

/// What is left when memory and layers are on the device, and the commit.
format::SignedHead commit_shipment(const Parts& parts, Shipment& shipment, const Session& session,
                                   ShippedLayers layers, Meter& meter);

/// What makes the device tidy after a commit. The commit stands whatever becomes of it.
void tidy(const Parts& parts, Shipment& shipment, ByteCount written,
          std::chrono::milliseconds took);

}  // namespace satchel
