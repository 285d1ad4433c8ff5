// Inside lib/guestfs only: libguestfs' handle, and its words as Faults. A handle serves one thread
// at a time, but for guestfs_user_cancel.
#pragma once

#include <guestfs.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "base/fault.hpp"
#include "base/handle.hpp"

namespace satchel::guestfs {

using Guestfs = Handle<guestfs_h, guestfs_close>;
using Text = Handle<char, std::free>;

/// A list of strings as libguestfs returns and frees it.
struct FreeStrings {
  void operator()(char** list) const;
};
using Strings = std::unique_ptr<char*[], FreeStrings>;
std::vector<std::string> values(const Strings& list);

/// What failed last, as a Fault: "could not <doing> <object>: <libguestfs' words>".
Fault failure(guestfs_h* g, std::string doing, std::string object,
              Remedy remedy = Remedy::other_device);
inline void check(guestfs_h* g, int result, const char* doing, const std::string& object) {
  if (result < 0) throw failure(g, doing, object);
}

}  // namespace satchel::guestfs
