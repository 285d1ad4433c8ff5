// The commands of satchelctl: each asks the daemon and prints. Values from arguments.cpp, run by
// main on its one thread; throw Refusal.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

#include "client.hpp"
#include "table.hpp"

namespace satchel::cli {

enum class Output { people, json };

/// Where a command works.
struct Context {
  Client& client;
  std::istream& in;
  std::ostream& out;
  Screen screen;  ///< that `out` goes to
  Output output = Output::people;
  enum class Input { person, none } input = Input::none;  ///< whether somebody can answer
};

using Command = std::function<Task<ExitCode>(Context&)>;

// look.cpp
Task<ExitCode> status(Context& context);
Task<ExitCode> list(Context& context, std::string kind);
Task<ExitCode> show(Context& context, std::string word);
Task<ExitCode> history(Context& context, std::string capsule);
// monitor.cpp
Task<ExitCode> monitor(Context& context);
// doctor.cpp
struct DoctorOptions {
  bool measure = false;
  bool thorough = false;
  bool yes = false;
};
Task<ExitCode> doctor(Context& context, DoctorOptions options);

/// drop_cache.cpp. The word: a capsule; empty: all.
Task<ExitCode> drop_cache(Context& context, std::string word);

// act.cpp
struct PackOptions {
  std::string domain, device, name;
};
Task<ExitCode> pack(Context& context, PackOptions options);
struct CreateOptions {
  std::string name, device, disk, format, cdrom, firmware, network, os;
  std::uint64_t size = 0, memory = 0, cpus = 0;  ///< 0: not said
  bool launch = false;
};
/// create.cpp
Task<ExitCode> create(Context& context, CreateOptions options);
struct LaunchOptions {
  std::string capsule;
  bool take_over = false;
  bool start_fresh = false;
  bool this_copy = false;
  bool without_device = false;
};
Task<ExitCode> launch(Context& context, LaunchOptions options);
struct EjectOptions {
  std::string target;
  bool all = false;
  bool merge = false;
};
Task<ExitCode> eject(Context& context, EjectOptions options);
Task<ExitCode> checkpoint(Context& context, std::string capsule);
// carry.cpp
struct ExportOptions {
  std::string capsule, to;
  bool flat = false;  ///< the default, said aloud
  bool chain = false;
  bool no_memory = false;
  std::uint64_t generation = 0;  ///< 0: the newest
};
Task<ExitCode> export_to(Context& context, ExportOptions options);
struct ImportOptions {
  std::string from, device, name, uuid;
  bool no_memory = false;
};
Task<ExitCode> import_from(Context& context, ImportOptions options);
// resolve.cpp
struct ResolveOptions {
  std::string capsule, choice;
  std::string to;  ///< of export-ours alone
  bool yes = false;
};
Task<ExitCode> resolve(Context& context, ResolveOptions options);
struct RollbackOptions {
  std::string capsule;
  std::uint64_t generation = 0;
  bool although_needed = false;
  bool yes = false;
};
Task<ExitCode> rollback(Context& context, RollbackOptions options);
struct RemoveOptions {
  std::string capsule;
  bool yes = false;
};
Task<ExitCode> remove(Context& context, RemoveOptions options);
// upkeep.cpp
struct UpkeepOptions {
  std::string capsule;
  bool although_needed = false;
};
Task<ExitCode> merge(Context& context, UpkeepOptions options);
Task<ExitCode> fold(Context& context, UpkeepOptions options);
Task<ExitCode> compact(Context& context, UpkeepOptions options);
// sync.cpp
struct SyncOptions {
  std::string capsule;
  bool dry_run = false;
  bool emptied = false;
};
Task<ExitCode> sync(Context& context, SyncOptions options);
// verify.cpp
/// A capsule, or a device: all capsules on it; empty: on the only one.
Task<ExitCode> verify(Context& context, std::string word);
// format.cpp
struct FormatOptions {
  std::string node, fs_type = "ext4", label = "SATCHEL";
  bool yes = false;
};
Task<ExitCode> format(Context& context, FormatOptions options);

}  // namespace satchel::cli
