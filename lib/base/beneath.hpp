// Opening what is below a directory that somebody else may have filled: never through a link, never
// out of it. Blocking; any thread.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "base/handle.hpp"

namespace satchel {

/// Opens `path` beneath `directory` piece by piece, through no link, through no "..", and into no
/// other mount; `flags` as open(2) has them, O_CLOEXEC comes by itself and new files have mode
/// 0600. A descriptor, or errno: ELOOP for a link, EXDEV for what leads out. openat2(2) would do
/// the same in one call, and is what systemd's RestrictSUIDSGID= refuses whole.
tl::expected<UniqueFd, int> open_beneath(int directory, const std::string& path, int flags);

}  // namespace satchel
