// What the host writes down of a session, so that a restarted daemon continues or undoes it: the
// journal of one run of a capsule here. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace satchel {

/// What was under way when the journal was written last.
enum class Phase {
  packing,    ///< the capsule is being made from a machine of this host
  launching,  ///< the guest has not lived yet, unless libvirt says that it runs
  running,
  ejecting,  ///< `committing` says whether the device may hold it already
  stranded,  ///< the device is gone; `save_image` is set once the guest is on this host's disk
  waking,    ///< it is about to be let run, and may run already
};

/// How the guest is to go on after it was suspended.
enum class GuestWas { running, paused, shut_off };

/// Who made the domain's definition in libvirt.
enum class DefinedBy { us, user };

struct DiskOverlay {
  std::string target;  ///< "vda"
  std::string path;    ///< of the overlay that the guest writes to, absolute
  /// The files of the device below it, from the image up, relative to the capsule's directory.
  std::vector<std::string> chain;
  /// Earlier overlays between the two, lowest first, absolute: a checkpoint froze them, and the
  /// device does not hold them as far as is known here.
  std::vector<std::string> frozen{};
  /// A pack is being undone, and this is merged into the disk below beside the guest that runs: it
  /// may have been done, and the guest have written to that disk since.
  bool leaving = false;
  bool operator==(const DiskOverlay&) const = default;

  /// All that this session wrote, topmost first.
  std::vector<std::string> overlays() const;
};

struct Session {
  CapsuleId capsule;
  std::string capsule_name;
  SessionId session;
  DomainId domain;
  std::string domain_name;
  std::string fs_uuid;  ///< of the device's filesystem, as udev has it
  /// DISKSEQ of the insertion whose files the guest has open; 0: not known.
  std::uint64_t disk_sequence = 0;
  GenerationId base;  ///< the generation on the device that the session goes on from
  Sequence base_sequence;
  /// The last generation that holds what checkpoints took out of the overlays: a device whose
  /// newest one came before it lacks files of the session, or what they held then. None: all that
  /// the guest wrote is in its overlays, as far as is known here.
  std::optional<Sequence> checkpointed;
  std::optional<GenerationId> checkpoint;  ///< that generation
  /// The generation that an eject is about to commit; written before the commit.
  std::optional<GenerationId> committing;
  /// When the newest write to the guest's files here was, as it stood still for that commit: one
  /// that is found gone later has run on in between if there is a newer one.
  std::optional<UnixMicros> written;
  Phase phase = Phase::launching;
  std::vector<DiskOverlay> disks;
  GuestWas guest_was = GuestWas::running;
  DefinedBy defined_by = DefinedBy::us;
  /// The inactive XML as it was before a pack, to be put back.
  std::optional<std::string> original_definition;
  std::optional<std::string> nvram;       ///< path of the firmware's variables, absolute
  std::optional<std::string> save_image;  ///< path of a stranded guest's save image, absolute
  /// A guest that lives has copies of its disks that this host keeps below its overlays, and no
  /// file of the device.
  bool on_copies = false;
  UnixMicros started;
  bool operator==(const Session&) const = default;
};

/// "ejecting".
std::string_view to_string(Phase phase);

/// The journal's text: JSON. Throws Fault when a text in it is not UTF-8.
std::string write_journal(const Session& session);

/// Reads a journal strictly: all that write_journal writes and nothing else. `where` of a mistake
/// is a JSON pointer.
Result<Session> read_journal(std::string_view text);

}  // namespace satchel
