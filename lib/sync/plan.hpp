// From what both sides have and what is remembered: what a sync has to do. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "sync/model.hpp"
#include "sync/report.hpp"

namespace satchel::sync {

enum class Deed { to_trash, remove_directory, make_directory, write_file, write_link, restamp };

enum class Why { added, updated, restamped, brought_back, conflict, removed };

/// One thing to do on the host.
struct Action {
  Deed deed{};
  Why why{};
  std::string path;  ///< of the record that it is about
  std::string to;    ///< where on the host: elsewhere than `path` when that is taken
  /// What the host has to have there when it is done; none: nothing may be there.
  std::optional<HostEntry> over;
  std::optional<std::size_t> from;  ///< which of the guest's entries comes
  std::uint32_t mode = 0;           ///< of what is made or restamped
  UnixNanos mtime;                  ///< the same
  /// What is remembered when it is done; none: nothing any more. Where `to` is `path`, what both
  /// now agree on and the host's new stamp are filled in; a file's digest is, in any case.
  std::optional<Record> after;
};

/// What is remembered, with nothing done for it; none: nothing any more.
struct RecordChange {
  std::string path;
  std::optional<Record> record;
};

struct Plan {
  /// Files whose digests have to be known first: numbers of the situation's entries. When there
  /// are any, the rest of the plan is not to be used.
  std::vector<std::size_t> ask_guest;
  std::vector<std::size_t> ask_host;

  /// In the order in which they are to be done: to the trash, directories away (the deepest first),
  /// then what is made, a directory before its content.
  std::vector<Action> actions;
  std::vector<RecordChange> changes;
  std::vector<Line> lines;  ///< what is to be said about paths with nothing to be done
  Counts counts;            ///< as far as they are known without doing anything
};

/// Both sides sorted by TreeOrder, each path once. The guest's parents are all there and are
/// directories (listing.hpp sees to it).
struct Situation {
  const Records& records;
  const std::vector<GuestEntry>& guest;
  const std::vector<HostEntry>& host;
  std::string capsule;
  std::string moment;  ///< as moment_words() has it
  std::uint32_t umask = 022;
};

Plan make_plan(const Situation& situation);

/// Says an action in the report and counts it.
void tell(const Action& action, Report& report);

/// What the host's file or directory may be used for, for a guest's mode: its owner can always
/// read, and in directories write.
std::uint32_t host_mode(Kind kind, std::uint32_t guest_mode, std::uint32_t umask);

}  // namespace satchel::sync
