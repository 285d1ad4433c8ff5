// What is done with sessions outside of the jobs that begin and end them. Loop thread; all throw
// Fault.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fault.hpp"
#include "format/head.hpp"
#include "machine/writing.hpp"
#include "runtime/parts.hpp"
#include "runtime/session_guest.hpp"
#include "session/session.hpp"

namespace satchel {

/// Whether a generation is older than the one that the session goes on from, and without some of
/// the files below its overlays: a checkpoint that came after it is lost, or it is a copy that was
/// made before that. The same mark is in both.
bool lacks_files_of(const format::Head& head, const Session& session);

/// Whether the device's newest generation is one that this session goes on from: its own mark says
/// so for sure where no file is missing, else it is the one it began with, or that its own eject
/// has just committed.
bool is_of_session(const format::Head& newest, const Session& session);
/// Notes the chains of its check-out as they are by now: a merge makes them shorter, and what is
/// read through them stays the same. Does nothing when the head has no mark of this session.
void follow(Session& session, const format::Head& newest);

/// Writes the journal, with what is under way now.
Task<void> note_phase(Parts& parts, Session& session, Phase phase);

/// Whether a guest has written to the overlay. One that can't be asked for may hold all there is.
/// Files lane.
bool holds_data(const std::string& overlay);
/// Whether a guest has written to any of its overlays. Files lane.
bool has_written(const Session& session);

/// How the session's domain is written on this host.
machine::SessionPlan session_plan(const Parts& parts, const Session& session,
                                  std::vector<machine::SessionDisk> disks);
/// Where a session's guest writes its serial console: it outlives the session.
std::filesystem::path serial_log(const Parts& parts, CapsuleId capsule);

/// A directory for one capsule's FIFOs, made if need be.
std::filesystem::path fifo_directory(const Parts& parts, CapsuleId capsule);

/// Notes that this capsule was made from this machine of this host: only then may it run under that
/// machine's name and identity here. Files lane.
void remember_packed(const Parts& parts, CapsuleId capsule, DomainId domain);
bool was_packed_here(const Parts& parts, CapsuleId capsule, DomainId domain);
/// Made from any machine of this host.
bool was_packed_here(const Parts& parts, CapsuleId capsule);

/// Notes that a session ended before its guest ran: its check-out mark, which may still be on a
/// device that went meanwhile, guards nothing. Files lane.
void remember_unrun(const Parts& parts, CapsuleId capsule, SessionId session);
/// Takes the mark of such a session off a head that was read. Files lane.
void overlook_unrun(const Parts& parts, CapsuleId capsule, format::Head& head);

/// A TPM's state does not travel yet, and one without its state, or with another machine's, is
/// worse than none.
Fault no_tpm_yet(std::string doing, std::string name);

/// Where the save image of a stranded session is.
std::filesystem::path saved_guest(const Parts& parts, CapsuleId capsule);
/// Where one is kept that a save left which was cut short, for a guest that lives: nobody knows yet
/// whether the guest has gone on since.
std::filesystem::path cut_short_save(const Parts& parts, CapsuleId capsule);
/// Puts the session's save image there. Files lane.
void set_aside(const Parts& parts, const Session& session);

/// Merges a pack's overlays back into the machine's own disks, whether its guest runs or has ended
/// meanwhile, restores its own definition and removes the session's files: as if it had not been
/// packed. When it throws, the overlays and the journal are still there: they may hold what the
/// guest wrote.
Task<void> leave_overlays(Parts& parts, Session session);

/// Removes what this computer has of a session: journal, overlays, what is known of its memory.
/// Files lane; throws Fault.
void remove_session(const Parts& parts, CapsuleId capsule);

/// Ends the guest if there is one, puts the host's own definition back or removes ours, removes
/// overlays and journal.
Task<void> drop_session(Parts& parts, Session session);

/// Writes a file that only root reads, anew. Files lane.
void write_private_file(const std::filesystem::path& file, std::string_view bytes);
/// The same, durably: after a power cut it is as before or as told. Files lane.
void replace_private_file(const std::filesystem::path& file, std::string_view bytes);

}  // namespace satchel
