// What reading everything that a capsule's kept generations need found: CapsuleDirectory::verify().
// Values only; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "format/head.hpp"

namespace satchel::format {

/// A file of the capsule that is not as it was written, or can't be known to be.
struct Flaw {
  enum class Kind {
    damaged,
    unsettled,  ///< a merge or fold was cut short that may change the file
  };
  std::string path;                   ///< "vda/layer-7.qcow2", "slots/1", "heads/7.json"
  std::vector<Sequence> generations;  ///< that need it, newest first; empty: it can't be told
  std::string what;                   ///< a clause: "is missing"
  Kind kind = Kind::damaged;

  /// "vda/layer-7.qcow2, which generations 8 and 7 need, is missing"
  std::string sentence() const;
};

/// "merge" or "fold": the one that changes this file in place and was begun, or may have been in
/// generations that were gone back from, and has not come to its end since, as this head knows. The
/// file may be unlike its digest then. Empty: none.
std::string under_way(const Head& head, std::string_view path);

struct Verification {
  /// A generation that a slot names, or named before it was torn, or an older one whose head is
  /// there.
  struct Kept {
    Sequence seq;
    enum class Verdict { whole, flawed } verdict = Verdict::whole;
  };
  std::vector<Kept> kept;  ///< newest first
  std::vector<Flaw> flaws;
  std::vector<std::string> not_needed;  ///< files that no head names, in order of their paths
  std::size_t files = 0;                ///< that were looked at, each once
  ByteCount read;

  bool is_whole() const { return flaws.empty(); }
  std::optional<Sequence> newest_whole() const;
};

}  // namespace satchel::format
