#include "owner.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/fault.hpp"

namespace satchel::worker {

namespace {

void demand(bool held, const std::string& doing, const std::string& object) {
  if (!held) throw fault_from_errno(errno, doing, object);
}

Fault refused(const std::string& owner, std::string why) {
  return Fault(Remedy::fix_config, Fault::Text{"work as", owner, std::move(why),
                                               "Name an ordinary user of this computer as 'owner' "
                                               "in satchel.yaml."});
}

/// Root's parent directory holds it; nobody else may have put a link there.
void make_state(const std::string& state, const passwd& user) {
  demand(::mkdir(state.c_str(), 0700) == 0 || errno == EEXIST, "make", state);
  const UniqueFd directory(::open(state.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  demand(static_cast<bool>(directory), "open", state);
  demand(::fchown(directory.get(), user.pw_uid, user.pw_gid) == 0, "give away", state);
}

}  // namespace

void become(const std::string& owner, const std::string& state) {
  errno = 0;
  const auto* found = ::getpwnam(owner.c_str());
  if (found == nullptr) throw refused(owner, "this computer has no such user");
  const passwd user = *found;
  if (user.pw_uid == 0) throw refused(owner, "that is root");
  if (::geteuid() == 0) {
    make_state(state, user);
    demand(::initgroups(user.pw_name, user.pw_gid) == 0, "take the groups of", owner);
    demand(::setresgid(user.pw_gid, user.pw_gid, user.pw_gid) == 0, "take the group of", owner);
    demand(::setresuid(user.pw_uid, user.pw_uid, user.pw_uid) == 0, "become", owner);
  }
  demand(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "give up", "new privileges");
  if (::geteuid() != user.pw_uid || ::getuid() != user.pw_uid || ::setuid(0) == 0)
    throw Fault(Remedy::report_bug,
                Fault::Text{"become", owner, "the process is another user's", {}});
}

UniqueFd lock_state(const std::string& state) {
  UniqueFd directory(::open(state.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  demand(static_cast<bool>(directory), "open", state);
  while (::flock(directory.get(), LOCK_EX) != 0) demand(errno == EINTR, "lock", state);
  return directory;
}

}  // namespace satchel::worker
