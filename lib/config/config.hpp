// What /etc/satchel/satchel.yaml decides about this host. Owned by the composition root, constant
// after start; any thread may read it. satchel.yaml(5) and config/satchel.yaml say the same.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace satchel {

enum class OnInsert { resume, ask };
/// What a network card gets whose network this host does not have.
enum class Otherwise {
  user,       ///< QEMU's own NAT
  link_down,  ///< a card with its cable pulled
};
enum class PowerOff { no, yes };
/// Whether disks are merged and folded by themselves beside a machine that runs.
enum class WhileRunning { no, yes };
/// Whether a capsule is at home on this host: where its COW file may be folded by itself.
enum class Home { no, yes };

/// How large the COW files of a capsule may become before they are folded into its images.
struct CowLimit {
  enum class Of { bytes, images };
  Of of = Of::images;
  std::uint64_t amount = 25;  ///< bytes, or percent of the size of all image files; 0: never folded
  bool operator==(const CowLimit&) const = default;
};

/// A folder of the machine that is merged into a folder of this host.
struct SyncRule {
  std::string guest;  ///< one of the forms of sync/guest_place.hpp
  std::string to;     ///< absolute, plain
  std::string owner;  ///< a user of this host, not root: whose rights the sync has
  unsigned trash_days = 30;
  bool operator==(const SyncRule&) const = default;
};
enum class OnReturn { nothing, sync };
/// Of which machines this host keeps the disks.
enum class DisksKept { at_home, everywhere };
/// Which of a machine's disk files are compared with their digests before a guest reads them.
enum class DisksChecked {
  none,    ///< also none that a merge, a fold, a sync or an export reads
  layers,  ///< what ejects wrote since the last merge
  all,
};
/// Whether nothing of a machine stays on this host once it is on its device.
enum class Privacy { none, kept };

/// What is decided for one capsule, by its UUID alone: a device may claim any name.
struct CapsuleSettings {
  std::optional<CowLimit> cow_limit;  ///< none: as for all
  std::optional<Home> home;           ///< none: at home where it was packed
  std::vector<SyncRule> sync;         ///< no target lies in another, of whatever capsule
  OnReturn on_return = OnReturn::nothing;
  Privacy privacy = Privacy::none;
  bool operator==(const CapsuleSettings&) const = default;
};

struct Config {
  /// Shown to other hosts; empty: the computer's host name.
  std::string host_name;
  OnInsert on_insert = OnInsert::resume;

  struct Libvirt {
    /// A qemu:/// URI, or "auto": qemu:///system where libvirt is a service of this computer, be it
    /// stopped, else the embedded driver under the state directory.
    std::string uri = "auto";
    bool operator==(const Libvirt&) const = default;
  } libvirt;

  struct Networks {
    std::map<std::string, std::string> map;  ///< a machine's network name to this host's
    std::string fallback = "default";        ///< `default`: for names that are not in the map
    Otherwise otherwise = Otherwise::user;
    bool operator==(const Networks&) const = default;
  } networks;

  struct Display {
    /// An IPv4 or IPv6 address; none: a Unix socket in a directory of libvirt's that is closed to
    /// others.
    std::optional<std::string> listen;
    bool operator==(const Display&) const = default;
  } display;

  struct Device {
    /// One that was given something to do and has done nothing of it for this long: what was begun
    /// on it is given up.
    std::chrono::seconds patience = std::chrono::minutes(2);
    bool operator==(const Device&) const = default;
  } device;

  struct Eject {
    PowerOff power_off = PowerOff::yes;  ///< the port, after unmounting
    /// After this long an eject is given up and the machine runs on.
    std::chrono::seconds deadline = std::chrono::minutes(10);
    bool operator==(const Eject&) const = default;
  } eject;

  /// Layers into the COW file.
  struct Merge {
    unsigned layers = 4;  ///< that a disk may have; with more a merge is due. 0: never due
    ByteCount size;       ///< that all layers may have together; 0: any
    /// Bytes a second of a merge or fold that is done by itself; 0: as fast as the device takes it.
    ByteCount rate = mebibytes(16);
    WhileRunning while_running = WhileRunning::yes;  ///< `no`: they wait until the machine rests
    bool operator==(const Merge&) const = default;
  } merge;

  /// Checkpoints that are made by themselves while a machine runs.
  struct Checkpoint {
    std::chrono::seconds every =
        std::chrono::hours(2);         ///< since the session began or the last one; 0: never
    ByteCount size = mebibytes(1024);  ///< written to the overlays since; 0: never
    ByteCount rate = mebibytes(16);    ///< bytes a second to the device; 0: any
    bool operator==(const Checkpoint&) const = default;
  } checkpoint;

  struct Fold {
    CowLimit cow_limit;
    bool operator==(const Fold&) const = default;
  } fold;

  /// Memory on a device that an eject would write anew although it did not change.
  struct Compact {
    ByteCount size = mebibytes(4);  ///< with more of it, that is done before; 0: never
    bool operator==(const Compact&) const = default;
  } compact;

  struct Check {
    DisksChecked disks = DisksChecked::layers;
    bool operator==(const Check&) const = default;
  } check;

  /// Earlier states of a machine that stay on its device, to go back to.
  struct Generations {
    unsigned keep = 4;           ///< at most so many, the newest not counted
    unsigned free_percent = 10;  ///< `free`: of the device; with less free the oldest of them go
    bool operator==(const Generations&) const = default;
  } generations;

  struct Space {
    ByteCount keep_free_host = mebibytes(1024);
    ByteCount keep_free_device = mebibytes(16);
    bool operator==(const Space&) const = default;
  } space;

  /// What this host keeps of machines that were here, to be faster when they come back.
  struct Cache {
    ByteCount memory = mebibytes(4096);      ///< of the memory of all together; 0: nothing
    ByteCount disks = mebibytes(16 * 1024);  ///< the same of their disks
    DisksKept disks_of = DisksKept::at_home;
    bool operator==(const Cache&) const = default;
  } cache;

  struct Compression {
    int level = 1;         ///< zstd, 1..19
    unsigned threads = 0;  ///< 0: one a CPU
    bool operator==(const Compression&) const = default;
  } compression;

  struct Logging {
    LogLevel level = LogLevel::info;
    bool operator==(const Logging&) const = default;
  } log;

  std::map<CapsuleId, CapsuleSettings> capsules;

  bool operator==(const Config&) const = default;
};

/// Reads the YAML text. Unknown and repeated keys, wrong types and wrong ranges are all reported,
/// each with "<origin>, line L, column C" (from 1). An empty text is the defaults.
Result<Config> parse_config(std::string_view yaml, std::string_view origin);

/// parse_config of a file; the defaults when there is no such file. Blocking.
Result<Config> load_config(const std::filesystem::path& file);

}  // namespace satchel
