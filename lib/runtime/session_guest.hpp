// Which guest is a session's. A domain's UUID does not say so: on the host where a capsule was
// packed the person keeps a machine of that identity, on disks of its own. Loop thread; all throw
// Fault.
#pragma once

#include <optional>
#include <string>

#include "base/fault.hpp"
#include "core/words.hpp"
#include "runtime/parts.hpp"
#include "session/session.hpp"

namespace satchel {

/// Whether there is something in memory to be saved.
bool is_alive(const std::optional<DomainEntry>& guest);

/// The session's guest as libvirt has it. Where a machine of its identity runs on other disks than
/// the session's, the session's own guest is gone: none.
Task<std::optional<DomainEntry>> find_guest(Parts& parts, Session session);

/// Throws Fault when such another machine runs: the session's guest can't beside it. `doing`: "go
/// on with".
Task<void> refuse_stranger(Parts& parts, Session session, std::string doing);

enum class WhoStarts { us, user };
/// libvirt keeps the memory of the guest, which is off: what is asked for would leave that behind.
/// `doing`: "eject".
Fault memory_kept(std::string doing, std::string name, const DomainEntry& guest, WhoStarts who);

/// Ends the session's guest if it is there.
Task<void> end_if_alive(Parts& parts, Session session);

/// The session as the state machine sees it; `guest` as find_guest() gives it.
core::Session core_session(const Session& session, const std::optional<DomainEntry>& guest);
/// The same, asking libvirt now, and of a guest that is gone since an eject whether it had run on.
Task<core::Session> core_session_now(Parts& parts, Session session);

}  // namespace satchel
