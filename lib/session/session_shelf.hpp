// The host's sessions on its own disk: `sessions/<capsule uuid>/journal` under the state
// directory, with the session's overlays and save image beside it; `ended` in its place says that
// they are to be removed. One owner, the runtime; all calls block: make them on the files lane. Of
// those that write each is alone.
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "session/session.hpp"

namespace satchel {

class SessionShelf {
 public:
  /// `state_directory` exists; what is needed below it is made when it is needed.
  explicit SessionShelf(std::filesystem::path state_directory);

  /// Where the capsule's session keeps its files; need not exist.
  std::filesystem::path directory(CapsuleId capsule) const;
  /// directory(), made durably if need be: mode 0711, so that QEMU's user reaches a file that it
  /// was given, and nobody can list it. Throws Fault.
  std::filesystem::path make_directory(CapsuleId capsule) const;

  /// Writes the journal, mode 0600. When this returns it is on the disk; before, the one written
  /// last is. Throws Fault.
  void save(const Session& session) const;
  /// The same, of the session's journal as it is by then and `change` leaves it. Not written where
  /// that gives false, or another session, or none, is there by now. Throws Fault.
  void amend(CapsuleId capsule, SessionId session,
             const std::function<bool(Session&)>& change) const;

  struct Contents {
    std::vector<Session> sessions;
    /// Journals that can't be read, and files of a session without one, with their paths. They and
    /// what is beside them stay as they are.
    Mistakes unreadable;
    /// What remove() may be asked to take away: a session's rest whose removal was cut short, or
    /// the directory of one that was cut short before its first journal.
    std::vector<CapsuleId> leftovers;
  };
  /// All that is there. Throws Fault when the directory itself can't be read.
  Contents all() const;
  /// None when there is no journal. Throws Fault when it can't be read.
  std::optional<Session> find(CapsuleId capsule) const;
  /// Whether a new session may have the directory: nothing is there, or a leftover.
  bool is_free(CapsuleId capsule) const;

  /// Makes the journal say, durably, that the session has ended, then removes all of it. No error
  /// when there is none. Throws Fault; what is left is a leftover then.
  void remove(CapsuleId capsule) const;

 private:
  void write(const Session& session) const;

  std::filesystem::path sessions_;
  mutable std::mutex writing_;
};

}  // namespace satchel
