// What becomes of one path: the three-way table itself. Pure; any thread.
#pragma once

#include "sync/model.hpp"

namespace satchel::sync {

enum class Verdict {
  nothing,         ///< as it is: the guest has nothing new here
  ask,             ///< not to be told before the missing digests are known
  agree,           ///< both have the same: it is noted
  create,          ///< new in the guest
  bring_back,      ///< deleted on the host, changed in the guest since
  update,          ///< changed in the guest only
  replace,         ///< as update, and of another kind
  conflict,        ///< the host's stays, the guest's comes beside it
  trash,           ///< deleted in the guest, untouched on the host
  directory_gone,  ///< a directory deleted in the guest: it goes when nothing is left in it
  keep,            ///< deleted in the guest, changed on the host: it stays
  forget,          ///< on neither side any more
};

enum class Answer { no, yes, unknown };

/// Whether two versions are the same.
Answer same(const Version& a, const Version& b);

/// `guest`, `host`: what is there now; null: nothing. What can't be carried or compared is not
/// asked about here.
Verdict decide(const Record* record, const Version* guest, const Version* host);

}  // namespace satchel::sync
