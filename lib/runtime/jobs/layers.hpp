// A session's overlays on their way to the device, as layers of its disks.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "async/beside.hpp"
#include "runtime/jobs/overlay_stamps.hpp"
#include "runtime/jobs/shipment.hpp"
#include "runtime/jobs/suspension.hpp"
#include "runtime/meter.hpp"

namespace satchel {

/// Begins a step of this name, and gives where its progress goes.
using BeginStep = std::function<ProgressSink(std::string)>;

/// Ships all overlays. Nobody writes to them, and nobody has them open. Files lane.
ShippedLayers ship_layers(const Parts& parts, Shipment& shipment, const Session& session,
                          Meter& meter, std::stop_token stop);

/// The same beside a save: from the instant at which the guest stands still, which is before the
/// first of its memory is read, to whenever it is done. QEMU has the overlays open all the while,
/// so they are read only. Loop thread. Whoever makes one waits for it by take() or give_up(), on
/// every path, before anything else becomes of the shipment.
class LayersBeside {
 public:
  LayersBeside(Parts& parts, Shipment& shipment, const Session& session,
               const Suspension& suspension, Meter& meter, std::stop_token stop);
  LayersBeside(const LayersBeside&) = delete;
  LayersBeside& operator=(const LayersBeside&) = delete;

  /// Waits for the layers. None when they can't be had this way, or an overlay was written to since
  /// after all: then ship_layers() is to be called. Throws what it throws.
  Task<std::optional<ShippedLayers>> take();
  /// Stops the work, and waits for its end. Throws nothing.
  Task<void> give_up();

 private:
  Task<void> run();
  Task<bool> is_certainly_still();

  Parts& parts_;
  Shipment& shipment_;
  const Session& session_;
  const Suspension& suspension_;
  Meter& meter_;
  std::stop_source stopping_;
  std::stop_callback<std::function<void()>> job_stopped_;
  std::optional<OverlayStamps> before_;
  std::optional<ShippedLayers> layers_;
  Beside work_;
};

}  // namespace satchel
