// What the disks of a guest that stands still have of its memory: pages of its page cache that it
// has written back are in its overlays as well, and go to the device with the layers
// (docs/decisions/0030-borrowed-pages.md). Files lane.
#pragma once

#include <optional>
#include <stop_token>

#include "format/head.hpp"
#include "hibernation/page_codec.hpp"
#include "runtime/jobs/overlay_stamps.hpp"
#include "runtime/parts.hpp"
#include "session/session.hpp"

namespace satchel {

/// What this session wrote to its disks since the generation that `head` continues, by name.
/// `head` has the disks of that one still. Throws Fault.
hibernation::DiskPages written_pages(const Session& session, const format::Head& head,
                                     const ContentKey& key, unsigned threads, std::stop_token stop);

/// Lends a session's disks to its memory while that is encoded, and tells afterwards whether that
/// was right. One thread at a time.
class Lending {
 public:
  /// `head`: the next generation's.
  Lending(const Parts& parts, const Session& session, const format::Head& head)
      : parts_(parts), session_(session), head_(head) {}

  /// From the instant on at which the guest stands still. None, with a line in the log, where the
  /// overlays can't be read.
  std::optional<hibernation::DiskPages> lend(const ContentKey& key, std::stop_token stop);
  /// Throws Fault when the guest wrote to its disks since all the same.
  void demand_unwritten() const;

 private:
  const Parts& parts_;
  const Session& session_;
  const format::Head& head_;
  std::optional<OverlayStamps> before_;
};

}  // namespace satchel
