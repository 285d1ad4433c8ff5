// What the runtime needs of a hypervisor; lib/libvirt is the real one, tests/fakes has a small
// implementation with the same contract suite. Machines are named by UUID, described by libvirt
// domain XML (made and read by lib/machine). All calls are made on the loop thread and continue
// there; all throw Fault.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "async/lanes.hpp"
#include "base/handle.hpp"
#include "base/ids.hpp"
#include "base/progress.hpp"

namespace satchel {

enum class Accelerator { kvm, tcg };

enum class GuestState {
  running,
  paused,
  paused_by_io_error,  ///< a disk with error_policy='stop' failed
  shut_off,
  crashed,
};

struct DomainEntry {
  DomainId id;
  std::string name;
  GuestState state;
  bool persistent;
  /// It is off, and libvirt keeps its memory for its next start (virsh managedsave; libvirt-guests
  /// does the same when a host shuts down).
  bool has_saved_memory = false;
};

struct DomainXml {
  DomainEntry entry;
  std::string live;  ///< as it runs (with security info and migratable CPU); empty when shut off
  std::string inactive;  ///< as it would start next; empty for a transient one
};

/// What happened to a guest. Told as well for what this program asked for, and then before or after
/// that call has returned: whoever has a job under way on the guest expects its events.
struct GuestEvent {
  enum class What {
    started,
    stopped_by_guest,
    stopped_by_host,
    crashed,
    paused,
    resumed,
    paused_by_io_error
  };
  DomainId id;
  What what;
  std::string detail;  ///< libvirt's reason in words
};

/// What this host can run, for one accelerator, as preflight needs it.
struct HostAbility {
  std::string uri;                         ///< of the connection
  std::string architecture;                ///< "x86_64"
  std::string emulator;                    ///< path of the QEMU binary
  std::string host_cpu;                    ///< model name, for sentences
  std::vector<std::string> machine_types;  ///< canonical and alias names
  ByteCount free_memory;
  std::uint64_t libvirt_version;        ///< 1000000*major + 1000*minor + micro
  std::uint64_t emulator_version;       ///< the same
  std::vector<std::string> networks{};  ///< that a machine can be put on now
};

/// Descriptors that stand for the files of one disk source: `fdgroup='name'` in the XML.
struct LentFiles {
  std::string group;
  std::vector<UniqueFd> descriptors;
};

/// Which files of a live guest's disk are merged into the one below them: those above `base` up to
/// and with `top`. Both are named by the paths that the live XML shows (nothing need be there).
struct LayerCommit {
  std::string target;                  ///< "vda"
  std::string base;                    ///< has a writable descriptor in its group, see lend()
  std::string top;                     ///< never the disk's topmost file, which the guest writes to
  std::uint64_t bytes_per_second = 0;  ///< 0: no limit
};

class Hypervisor {
 public:
  virtual ~Hypervisor() = default;

  virtual Task<std::vector<DomainEntry>> domains() = 0;
  /// By UUID or, failing that, by name. None when there is no such domain.
  virtual Task<std::optional<DomainXml>> describe(std::string name_or_id) = 0;
  virtual Task<std::optional<DomainEntry>> find(DomainId id) = 0;

  virtual Task<HostAbility> ability(Accelerator accelerator) = 0;
  /// Whether a guest really starts with it: tried once, remembered while the process lives.
  virtual Task<bool> works(Accelerator accelerator) = 0;
  /// None when a CPU as in the `<cpu>` element runs here with this accelerator, else the reason.
  virtual Task<std::optional<std::string>> cpu_obstacle(std::string cpu_xml,
                                                        std::string machine_type,
                                                        Accelerator accelerator) = 0;
  /// The `<cpu>` element of the best CPU that a guest here can have and describe: model, vendor
  /// and features, nothing that only "the host's own" would say.
  virtual Task<std::string> host_cpu(Accelerator accelerator) = 0;
  /// The `<cpu>` element of the best CPU that all hosts have whose host_cpu() these are (at least
  /// one), as far as this host's libvirt knows their features; fit for migration.
  virtual Task<std::string> shared_cpu(std::vector<std::string> cpus, Accelerator accelerator) = 0;

  /// Makes or replaces a persistent definition.
  virtual Task<void> define(std::string xml) = 0;
  /// Removes a definition, never a disk, and keeps NVRAM. No error when there is none.
  virtual Task<void> undefine(DomainId id) = 0;

  /// Gives the files for the fdgroups of a defined domain; they are used up by its next start or
  /// restore, whether that succeeds or not. A group without descriptors is taken back. A file that
  /// a commit_layers() is to write to needs two descriptors in its group, the read-only one first.
  virtual Task<void> lend(DomainId id, std::vector<LentFiles> files) = 0;
  /// Starts a defined domain from its disks, with `xml` as its live description.
  virtual Task<void> start(DomainId id, std::string xml) = 0;
  /// The description with the memory that libvirt keeps of a domain that is off; empty: it keeps
  /// none.
  virtual Task<std::string> saved_description(DomainId id) = 0;
  /// Restores from that memory, with `xml` as the description; leaves it paused. What was kept is
  /// gone then.
  virtual Task<void> restore_saved(DomainId id, std::string xml) = 0;
  /// libvirt forgets the memory that it keeps; that there is none is good as well.
  virtual Task<void> drop_saved(DomainId id) = 0;
  /// Restores from a libvirt save image read from the path (a FIFO will do); leaves it paused.
  /// `xml` in place of the image's own description, where it is not empty: other disk files, all
  /// else the same.
  virtual Task<void> restore(DomainId id, std::string path, std::string xml) = 0;
  virtual Task<void> resume(DomainId id) = 0;
  virtual Task<void> pause(DomainId id) = 0;
  /// Ends the guest at once, as a power cut does.
  virtual Task<void> destroy(DomainId id) = 0;
  /// Suspends into the path, as virDomainSave does: returns after the guest is gone, throws while
  /// it still lives. A running guest that could not be saved runs on; a paused one stays paused.
  virtual Task<void> save(DomainId id, std::string path) = 0;
  /// Aborts a save or other job that is under way on the guest, if any.
  virtual Task<void> abort_job(DomainId id) = 0;

  struct Overlay {
    std::string target;  ///< "vda"
    std::string path;    ///< an existing qcow2 file, empty, of the right size
  };
  /// Puts an overlay over each named disk of a running guest, all at the same instant.
  virtual Task<void> overlay_disks(DomainId id, std::vector<Overlay> overlays) = 0;
  /// Writes a running guest's memory to the path while the guest goes on, in save()'s container (a
  /// save gate's FIFO will do), and puts an overlay over each named disk at the very instant at
  /// which the memory was so: the guest stands still for that instant only. Throws when memory or
  /// overlays could not be had; it runs on then, as before unless describe() shows the overlays.
  virtual Task<void> snapshot(DomainId id, std::string path, std::vector<Overlay> overlays) = 0;
  /// The way back: merges each named disk's overlay into the file right below it (an active,
  /// shallow block commit with an explicit base, then pivot), so that the guest runs on that file
  /// again and the overlay may be removed. Used when a pack fails.
  virtual Task<void> merge_overlays(DomainId id, std::vector<std::string> targets) = 0;

  /// Merges chain files of a running or paused guest that stay below its topmost file, and returns
  /// when base holds all of them and the live chain is shorter. The merged files may stay open
  /// until the guest ends. What is in base is as durable as what a guest writes: whoever goes on to
  /// tell somebody fsyncs it. The header of the file above `top` names another file then, see
  /// disk::set_backing(). A stop, or any failure, leaves the chain complete as it was. While it
  /// runs, nothing else that changes the guest's disks may begin, a save included: those are
  /// refused. One commit, ended or stopped, a disk and a start of the guest: the real one may
  /// refuse another (Remedy::retry) until the guest was started or restored anew. A fold after a
  /// merge is thus one commit of all layers and the COW file into the image. Progress is told on
  /// the loop thread.
  virtual Task<void> commit_layers(DomainId id, LayerCommit commit, ProgressSink progress,
                                   std::stop_token stop) = 0;
  /// Merges the overlays that snapshots left right below the disk's topmost file into the lowest of
  /// them: those in this directory that were not lent. Gives the paths of those that are used no
  /// more; none when there were fewer than two. Throws as commit_layers() does, but for its limit
  /// of one.
  virtual Task<std::vector<std::string>> merge_snapshots(DomainId id, std::string target,
                                                         std::string directory,
                                                         std::stop_token stop) = 0;
  /// Ends what an earlier process left at work on the guest's disks (a commit, a pack's overlay),
  /// and returns when all of it is gone: the guest can be saved right after. Chains stay complete.
  /// No error when there is nothing, nor for a guest that is off or gone.
  virtual Task<void> abort_block_jobs(DomainId id) = 0;

  /// Sets the guest's clock from the host's through the guest agent; false when it has no agent.
  virtual Task<bool> set_guest_time(DomainId id) = 0;

  /// The one listener for events, called on the loop thread. Set it before anything else is asked.
  virtual void listen(std::function<void(GuestEvent)> on_event) = 0;
  /// Called on the loop thread when the connection is lost (false) or there again (true).
  virtual void listen_connection(std::function<void(bool up)> on_change) = 0;
};

}  // namespace satchel
