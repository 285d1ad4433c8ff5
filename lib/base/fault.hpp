// How a failed effect is reported: one exception type, thrown where something could not be done,
// turned into data once (in the runner). Says what the person in front of the computer can do.
// Values only; usable from any thread.
#pragma once

#include <array>
#include <cerrno>
#include <exception>
#include <string>
#include <string_view>

namespace satchel {

/// What the person can do about a failure. The D-Bus error name and the CLI's exit code follow
/// from it.
enum class Remedy {
  retry,          ///< wait and try again; nothing is wrong with the request
  replug,         ///< plug the device in again
  free_space,     ///< make room on the device or on the host
  other_device,   ///< this device or filesystem can't do it
  fix_config,     ///< the configuration of this host or of the machine has to change
  fix_request,    ///< the request itself is wrong: a name, an option, a state
  ask_admin,      ///< somebody with more rights has to do or allow it
  choose,         ///< two ways are possible and only the user may choose
  later_version,  ///< this version can't do it
  report_bug,     ///< should never happen
};

/// The remedy as a stable word, as in logs: "free-space".
std::string_view to_string(Remedy remedy);

/// An operation that failed. Messages read "could not <doing> <object>: <why>".
class Fault : public std::exception {
 public:
  struct Text {
    std::string doing;   ///< infinitive phrase: "write"
    std::string object;  ///< what it was done to: "/media/STICK/satchel/…/heads/7.json"
    std::string why;     ///< the reason, as exact as known: "No space left on device"
    std::string next;    ///< one sentence: what to do; may be empty when the remedy says it all
  };

  Fault(Remedy remedy, Text text);

  Remedy remedy() const { return remedy_; }
  const Text& text() const { return text_; }
  /// What to do now, one sentence: text().next, or else the remedy's own.
  std::string next_step() const;
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Remedy remedy_;
  Text text_;
  std::string message_;
};

/// What the kernel says where a disk, or the filesystem on it, fails. Read past the page cache, a
/// bad place of a stick is ENODATA on most filesystems (blk_errors in Linux's block/blk-core.c).
inline constexpr std::array disk_errors = {EIO,   ENODEV, ENXIO,     EUCLEAN, EBADMSG,  ENODATA,
                                           EBADE, EILSEQ, EREMOTEIO, ENOLINK, ETIMEDOUT};
bool is_disk_error(int error);

/// A Fault from errno as it stands: ENOSPC and EDQUOT give free_space, a disk's errors replug,
/// EACCES and EPERM ask_admin, EROFS other_device, all others report_bug.
Fault fault_from_errno(int error, std::string doing, std::string object);

}  // namespace satchel
