// When a guest last wrote to its files on this computer: whether one that is gone had run on after
// the commit of its eject. Files lane.
#pragma once

#include <filesystem>

#include "base/ids.hpp"
#include "session/session.hpp"

namespace satchel {

/// The newest modification time of the session's overlays and of its firmware's variables (stat(2),
/// st_mtim); those that are not there are passed over. Throws Fault when one can't be asked for.
UnixMicros last_write(const Session& session);

/// Whether one of them was written to after this file was, or can't be asked for. `overlays`: of
/// the overlays alone. A restored guest's QEMU writes the firmware's variables before it runs.
enum class Written { overlays, anything };
bool has_written_since(const Session& session, const std::filesystem::path& file,
                       Written what = Written::anything);

/// Whether one of them was written to after the commit that the journal speaks of, or can't be
/// asked for: what may be there is not dropped. Not known, and false, where the journal does not
/// say when they had been written to before it. A newer time alone counts: after a power cut the
/// filesystem may have an older one.
bool has_written_since_commit(const Session& session);

}  // namespace satchel
