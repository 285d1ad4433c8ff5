// What people may ask of the daemon, whoever carries the request (the bus today). Loop thread only.
// A request that makes no sense now throws Fault at once; else it gives the job that does it.
// Whether the asker may is decided before, by ports/authority.hpp.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "async/lanes.hpp"
#include "base/handle.hpp"
#include "base/ids.hpp"
#include "machine/building.hpp"
#include "runtime/view.hpp"
#include "sync/sync.hpp"

namespace satchel {

struct PackRequest {
  std::string domain;  ///< libvirt name or UUID
  DeviceNumber device;
  std::string name;  ///< of the capsule; empty: the domain's
};

/// A machine that was none before. Either an image or a size; the descriptors are only read.
struct CreateRequest {
  DeviceNumber device;
  machine::Wish wish;  ///< the capsule's name and what of the machine may be chosen
  UniqueFd disk;
  std::string format;  ///< of the image, as qemu-img names it; empty: as its magic says
  ByteCount size;      ///< of an empty disk
  UniqueFd cdrom;      ///< an installation medium; may be none
  enum class Afterwards { rest, launch } afterwards = Afterwards::rest;
};

struct LaunchRequest {
  CapsuleId capsule;
  enum class CheckedOut { refuse, take_over } when_checked_out = CheckedOut::refuse;
  enum class Memory { resume, start_fresh } memory = Memory::resume;
  enum class Lacking { refuse, this_copy } when_lacking = Lacking::refuse;
  /// without: an open session goes on, on what this host keeps of its disks.
  enum class Device { needed, without } device = Device::needed;
};

struct FormatRequest {
  std::string node;
  std::string fs_type = "ext4";
  std::string label = "SATCHEL";
};

struct ExportRequest {
  CapsuleId capsule;
  UniqueFd directory;  ///< empty, the asker's own, open for reading; written beneath
  std::string path;    ///< what the asker calls it, for the files' texts; empty: as the kernel does
  enum class Layout { flat, chain } layout = Layout::flat;
  enum class Memory { with, without } memory = Memory::with;
  std::optional<Sequence> generation;  ///< none: the newest
  /// session: of a diverged or stranded machine what this host has of it, which is given up
  /// afterwards. Flat.
  enum class Of { device, session } of = Of::device;
};

struct ImportRequest {
  UniqueFd directory;  ///< of the asker, open for reading; only read
  std::string path;    ///< as for ExportRequest
  DeviceNumber device;
  std::string name;                  ///< of the capsule; empty: the machine's
  std::optional<CapsuleId> capsule;  ///< none: a new identity
  enum class Memory { with, without } memory = Memory::with;
};

struct SyncRequest {
  CapsuleId capsule;
  sync::Extent extent = sync::Extent::whole;
  sync::Emptiness emptiness = sync::Emptiness::refused;
};

/// One thing that `doctor` looked at.
struct Finding {
  enum class Verdict { good, warning, bad, unknown };
  /// "kvm", "libvirt", "udisks2", "polkit", "host space", "sync", "apparmor", "clock", "device
  /// /dev/sdb1"
  std::string check;
  Verdict verdict;
  std::string found;   ///< one sentence
  std::string remedy;  ///< what to do; empty when good
};

class Commands {
 public:
  virtual ~Commands() = default;

  virtual const HostView& view() const = 0;
  virtual void listen(ViewListener listener) = 0;

  virtual JobId pack(PackRequest request) = 0;
  virtual JobId create(CreateRequest request) = 0;
  virtual JobId format(FormatRequest request) = 0;
  virtual JobId launch(LaunchRequest request) = 0;
  enum class Layers { leave, merge };
  /// shutdown: whatever is in memory alone would be lost.
  enum class Occasion { asked, shutdown };
  virtual JobId eject(CapsuleId capsule, Layers layers, Occasion occasion) = 0;
  JobId eject(CapsuleId capsule, Layers layers = Layers::leave) {
    return eject(capsule, layers, Occasion::asked);
  }
  /// Ejects every capsule on the device, then lets go of it.
  virtual JobId eject_device(DeviceNumber device) = 0;
  virtual JobId checkpoint(CapsuleId capsule) = 0;
  virtual JobId unlock(DeviceNumber device, UniqueFd passphrase) = 0;
  virtual JobId resolve(CapsuleId capsule, std::string choice) = 0;
  virtual JobId sync(SyncRequest request) = 0;
  /// Of the last sync, or dry run, as JSON.
  virtual std::string sync_report(CapsuleId capsule, sync::Extent extent) const = 0;
  /// Reads all that the capsule's kept generations need; what is not as it was written fails the
  /// job.
  virtual JobId verify(CapsuleId capsule) = 0;
  /// Of the last one that came to its end, as JSON.
  virtual std::string verify_report(CapsuleId capsule) const = 0;
  /// What to do when a session of another host, taken over, may still need the files as they are.
  enum class WhenNeeded { refuse, go_on };
  virtual JobId merge(CapsuleId capsule, WhenNeeded when_needed) = 0;
  virtual JobId fold(CapsuleId capsule, WhenNeeded when_needed) = 0;
  virtual JobId compact(CapsuleId capsule, WhenNeeded when_needed) = 0;
  virtual JobId rollback(CapsuleId capsule, Sequence generation, WhenNeeded when_needed) = 0;
  virtual JobId remove(CapsuleId capsule) = 0;
  virtual JobId export_to(ExportRequest request) = 0;
  virtual JobId import_from(ImportRequest request) = 0;
  virtual void cancel(JobId job) = 0;

  enum class Measure { no, devices };
  /// Looks at what this host needs; with Measure::devices also writes and reads a file on each.
  virtual Task<std::vector<Finding>> diagnose(Measure measure) = 0;
  /// Fills the free space of a device and reads it back. An eject, or a pull, ends it.
  virtual JobId probe(std::string node) = 0;
  /// Removes what this computer keeps of a capsule's memory, or of all; gives its bytes. Throws
  /// Fault{retry} while a job of that capsule is under way.
  virtual Task<ByteCount> drop_cache(std::optional<CapsuleId> capsule) = 0;
};

}  // namespace satchel
