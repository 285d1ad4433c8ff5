// Overlays over the disks of a running guest, and the way back.
#include <libvirt/libvirt.h>

#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "libvirt/domain.hpp"
#include "libvirt/hypervisor.hpp"
#include "libvirt/xml.hpp"

namespace satchel {

namespace {

constexpr unsigned always = VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC |
                            VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA |
                            VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT;

int make_snapshot(virDomainPtr domain, const char* doing, const SnapshotParts& parts,
                  unsigned flags) {
  const auto xml = snapshot_xml(xml_of(domain, 0), parts);
  if (!xml)
    throw Fault(Remedy::report_bug,
                Fault::Text{doing, virDomainGetName(domain), to_string(xml.error()), {}});
  const SnapshotHandle made(virDomainSnapshotCreateXML(domain, xml->c_str(), flags | always));
  return made ? 0 : -1;
}

}  // namespace

Task<void> LibvirtHypervisor::overlay_disks(DomainId id, std::vector<Overlay> overlays) {
  constexpr auto doing = "put overlays over the disks of";
  return act(lanes_.slow, link_, id, doing,
             [parts = SnapshotParts{std::move(overlays), {}}](virDomainPtr domain) {
               return make_snapshot(domain, doing, parts, VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY);
             });
}

Task<void> LibvirtHypervisor::snapshot(DomainId id, std::string path,
                                       std::vector<Overlay> overlays) {
  constexpr auto doing = "make a snapshot of";
  const auto running = co_await find(id);
  if (!running || running->state != GuestState::running)
    throw Fault(Remedy::retry,
                Fault::Text{doing, "machine " + id.value.str(), "it does not run", {}});
  auto making =
      act(lanes_.slow, link_, id, doing,
          [parts = SnapshotParts{std::move(overlays), std::move(path)}](virDomainPtr domain) {
            return make_snapshot(domain, doing, parts, VIR_DOMAIN_SNAPSHOT_CREATE_LIVE);
          });
  // libvirt answers nothing about it while it waits for the FIFO's reader.
  saving_.insert_or_assign(id, *running);
  std::exception_ptr failed;
  try {
    co_await std::move(making);
  } catch (const Fault&) {
    failed = std::current_exception();
  }
  saving_.erase(id);
  if (failed) std::rethrow_exception(failed);
}

namespace {

constexpr auto merging = "merge the overlay of";

Mirror ask_mirror(Link& link, DomainId id, const std::string& target) {
  const auto connection = link.connection();
  return mirror_of(xml_of(lookup(connection, id, merging).get(), 0), target);
}

}  // namespace

Task<void> LibvirtHypervisor::merge_overlay(DomainId id, std::string target) {
  const auto link = link_;
  auto commit = act(lanes_.slow, link, id, merging, [target](virDomainPtr domain) {
    const auto base = file_below(xml_of(domain, 0), target);
    if (!base)
      throw Fault(
          Remedy::report_bug,
          Fault::Text{merging, virDomainGetName(domain), "disk " + target + " has no overlay", {}});
    // The base is always named: without one, libvirt merges into the very bottom of the chain.
    return virDomainBlockCommit(domain, target.c_str(), base->c_str(), nullptr, 0,
                                VIR_DOMAIN_BLOCK_COMMIT_SHALLOW | VIR_DOMAIN_BLOCK_COMMIT_ACTIVE);
  });
  co_await std::move(commit);
  // All but what the guest writes from now on has to be copied first.
  boost::asio::steady_timer beat(link->loop());
  auto mirror = Mirror::copying;
  while (mirror == Mirror::copying) {
    beat.expires_after(std::chrono::milliseconds(50));
    co_await beat.async_wait(boost::asio::use_awaitable);
    auto asking =
        offload(lanes_.quick, [link, id, target] { return ask_mirror(*link, id, target); });
    mirror = co_await std::move(asking);
  }
  if (mirror != Mirror::ready)
    throw Fault(Remedy::retry, Fault::Text{merging,
                                           "machine " + id.value.str(),
                                           "the copying of disk " + target + " ended early",
                                           {}});
  auto pivot = act(lanes_.slow, link, id, merging, [target](virDomainPtr domain) {
    return virDomainBlockJobAbort(domain, target.c_str(), VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT);
  });
  co_await std::move(pivot);
}

Task<void> LibvirtHypervisor::merge_overlays(DomainId id, std::vector<std::string> targets) {
  for (std::size_t i = 0; i < targets.size(); ++i) co_await merge_overlay(id, targets[i]);
}

}  // namespace satchel
