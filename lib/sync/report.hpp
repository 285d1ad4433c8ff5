// What a sync did, or would do: for the person, the bus and the journal. Values only; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

namespace satchel::sync {

enum class Mark {
  added,     ///< '+' comes to the host
  changed,   ///< '~' the host's is brought up to date
  removed,   ///< '-' goes to the trash folder
  attention  ///< '!' something the person should know: a conflict, a thing not carried
};

char sign(Mark mark);

/// One thing that was done or left out. Paths are bytes: show them by shown().
struct Line {
  Mark mark = Mark::attention;
  std::string path;
  std::string text;  ///< for people; empty where the mark says it all
  bool operator==(const Line&) const = default;
};

struct Counts {
  std::uint64_t guest_entries = 0;  ///< listed in the guest
  std::uint64_t host_entries = 0;   ///< found on the host
  std::uint64_t added = 0;
  std::uint64_t updated = 0;    ///< contents
  std::uint64_t restamped = 0;  ///< only times or modes
  std::uint64_t trashed = 0;
  std::uint64_t conflicts = 0;      ///< guest's versions that came beside the host's
  std::uint64_t brought_back = 0;   ///< deleted on the host, changed in the guest
  std::uint64_t kept = 0;           ///< deleted in the guest, changed on the host: kept
  std::uint64_t already_equal = 0;  ///< changed on both sides to the same
  std::uint64_t skipped = 0;        ///< not carried, a line each
  ByteCount read;                   ///< contents read from the guest
  ByteCount written;                ///< data written on the host, without holes
  bool operator==(const Counts&) const = default;
};

/// How long each part took, in seconds.
struct Durations {
  double starting = 0;  ///< the appliance that reads guests, once for all folders of a run
  double finding = 0;   ///< the folder: its filesystem found and mounted in the appliance
  double listing_guest = 0;
  double scanning_host = 0;
  double planning = 0;  ///< reading and comparing contents where it had to be
  double applying = 0;
};

struct Report {
  Counts counts;
  std::vector<Line> lines;  ///< in the order of the tree
  Durations durations;
  /// Nothing came, nothing went: things that can't be carried don't count.
  bool nothing_to_do() const;
};

/// "3 added, 1 updated, 1 in conflict, 2 not carried", or "nothing to do".
std::string summary(const Report& report);

/// "31.2 s: 18.0 starting the reader, …", without what took no time to speak of.
std::string summary(const Durations& durations);

/// A path as people and terminals can take it: control characters and what is no UTF-8 as \x0a,
/// and so that each path has a text of its own: a backslash as two.
std::string shown(std::string_view path);
/// The same of a text that may have been shown() before: its backslashes stay.
std::string harmless(std::string_view text);

}  // namespace satchel::sync
