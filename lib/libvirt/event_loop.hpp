// libvirt's own event loop: one per process, needed by every connection that wants events and by
// the embedded driver to hear of its guests at all. Its thread lives as long as the process.
// Callable from any thread.
#pragma once

namespace satchel {

/// Starts the event loop at the first call, which must come before the first connection is opened.
/// Makes SIGPIPE ignored unless the process handles it: the embedded driver writes to guests that
/// may just have died. Stops libvirt from writing errors to stderr. Throws Fault.
void need_libvirt_event_loop();

}  // namespace satchel
