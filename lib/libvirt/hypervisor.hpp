// The Hypervisor port by libvirt: "qemu:///system", a "qemu:///embed?root=DIR" driver that lives in
// this process (guests outlive it; one root per process), or "test:///default". One is owned by the
// composition root; loop and lanes outlive it. Calls on the loop thread.
// Opens its connection at the first call and again whenever it is lost; while there is none, calls
// throw Fault (Remedy::retry). Files lent before a loss are no longer lent after it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <map>
#include <memory>

#include "async/beside.hpp"
#include "ports/hypervisor.hpp"

namespace satchel {

class Link;

class LibvirtHypervisor final : public Hypervisor {
 public:
  LibvirtHypervisor(std::string uri, boost::asio::any_io_executor loop, Lanes& lanes);
  LibvirtHypervisor(const LibvirtHypervisor&) = delete;
  LibvirtHypervisor& operator=(const LibvirtHypervisor&) = delete;
  ~LibvirtHypervisor() override;

  Task<std::vector<DomainEntry>> domains() override;
  Task<std::optional<DomainXml>> describe(std::string name_or_id) override;
  Task<std::optional<DomainEntry>> find(DomainId id) override;

  /// free_memory is MemAvailable of /proc/meminfo: libvirt's own number leaves the page cache out.
  Task<HostAbility> ability(Accelerator accelerator) override;
  Task<bool> works(Accelerator accelerator) override;
  Task<std::optional<std::string>> cpu_obstacle(std::string cpu_xml, std::string machine_type,
                                                Accelerator accelerator) override;

  Task<std::string> host_cpu(Accelerator accelerator) override;
  Task<std::string> shared_cpu(std::vector<std::string> cpus, Accelerator accelerator) override;

  Task<void> define(std::string xml) override;
  Task<void> undefine(DomainId id) override;

  /// libvirt keeps what it was lent while the domain is defined, which would keep a device's mount
  /// busy for ever: it is taken back right after the next start or restore, when the guest has its
  /// own. A group without descriptors is taken back at once.
  Task<void> lend(DomainId id, std::vector<LentFiles> files) override;
  Task<void> start(DomainId id, std::string xml) override;
  Task<std::string> saved_description(DomainId id) override;
  Task<void> restore_saved(DomainId id, std::string xml) override;
  Task<void> drop_saved(DomainId id) override;
  Task<void> restore(DomainId id, std::string path, std::string xml) override;
  Task<void> resume(DomainId id) override;
  Task<void> pause(DomainId id) override;
  Task<void> destroy(DomainId id) override;
  /// Opens the path twice, the second time for the last 92 bytes
  /// (docs/decisions/0002-save-gate.md). From its second open until that ends, libvirt answers no
  /// question about this domain, nor one for a list: find() then says what was so when the save
  /// began, all others wait.
  Task<void> save(DomainId id, std::string path) override;
  Task<void> abort_job(DomainId id) override;
  Task<void> overlay_disks(DomainId id, std::vector<Overlay> overlays) override;
  Task<void> snapshot(DomainId id, std::string path, std::vector<Overlay> overlays) override;
  Task<void> merge_overlays(DomainId id, std::vector<std::string> targets) override;
  /// A commit of which nothing has come for so long is stopped; so long again, and libvirt's word
  /// that it has ended is not waited for.
  std::chrono::milliseconds longest_stall = std::chrono::minutes(1);
  /// When the connection is lost meanwhile, QEMU goes on by itself: abort_block_jobs() before
  /// anything else is asked of the guest. libvirt does not say why a job failed.
  Task<void> commit_layers(DomainId id, LayerCommit commit, ProgressSink progress,
                           std::stop_token stop) override;
  Task<std::vector<std::string>> merge_snapshots(DomainId id, std::string target,
                                                 std::string directory,
                                                 std::stop_token stop) override;
  Task<void> abort_block_jobs(DomainId id) override;
  Task<bool> set_guest_time(DomainId id) override;

  void listen(std::function<void(GuestEvent)> on_event) override;
  void listen_connection(std::function<void(bool up)> on_change) override;

 private:
  Task<bool> probe(Accelerator accelerator);
  Task<void> note_probe(Accelerator accelerator);
  /// Takes back what was lent for this start, whether it came about or not.
  Task<void> after_start(DomainId id, Task<void> starting);
  Task<void> merge_overlay(DomainId id, std::string target);

  std::shared_ptr<Link> link_;
  Lanes& lanes_;
  std::map<Accelerator, bool> works_;
  std::map<Accelerator, Beside> probing_;
  std::map<DomainId, DomainEntry> saving_;
  std::map<DomainId, std::vector<std::string>> lent_;  ///< groups, until the next start
};

}  // namespace satchel
