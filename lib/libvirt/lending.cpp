// Descriptors that stand for the files of a domain's disks.
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include <algorithm>
#include <cerrno>

#include "libvirt/domain.hpp"
#include "libvirt/hypervisor.hpp"

namespace satchel {

namespace {

constexpr auto lending = "lend files to";

UniqueFd open_nothing() {
  UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nothing) throw fault_from_errno(errno, "open", "/dev/null");
  return nothing;
}

/// libvirt can't be told to forget a group, only to have another descriptor for it.
void associate(virDomainPtr domain, const LentFiles& lent, int nothing) {
  std::vector<int> descriptors;
  for (const auto& fd : lent.descriptors) descriptors.push_back(fd.get());
  if (descriptors.empty()) descriptors.push_back(nothing);
  if (virDomainFDAssociate(domain, lent.group.c_str(), static_cast<unsigned>(descriptors.size()),
                           descriptors.data(), 0) < 0)
    throw_libvirt_fault(lending, domain);
}

void take_back(Link& link, DomainId id, const std::vector<std::string>& groups) {
  const auto connection = link.connection();
  const DomainHandle domain(virDomainLookupByUUID(connection.get(), id.value.bytes().data()));
  if (!domain) {
    // A domain that is gone took its descriptors along.
    if (libvirt_error_code() == VIR_ERR_NO_DOMAIN) return;
    throw_libvirt_fault("take files back from", "machine " + id.value.str());
  }
  const auto nothing = open_nothing();
  for (const auto& group : groups) associate(domain.get(), LentFiles{group, {}}, nothing.get());
}

}  // namespace

Task<void> LibvirtHypervisor::lend(DomainId id, std::vector<LentFiles> files) {
  auto& groups = lent_[id];
  for (const auto& lent : files)
    if (std::find(groups.begin(), groups.end(), lent.group) == groups.end())
      groups.push_back(lent.group);
  return offload(lanes_.quick, [link = link_, id, files = std::move(files)] {
    const auto connection = link->connection();
    const auto domain = lookup(connection, id, lending);
    const auto nothing = open_nothing();
    for (const auto& lent : files) associate(domain.get(), lent, nothing.get());
  });
}

Task<void> LibvirtHypervisor::after_start(DomainId id, Task<void> starting) {
  std::exception_ptr failed;
  try {
    co_await std::move(starting);
  } catch (const Fault&) {
    failed = std::current_exception();
  }
  std::vector<std::string> groups;
  std::swap(groups, lent_[id]);
  lent_.erase(id);
  auto taking = offload(lanes_.quick, [link = link_, id, groups] { take_back(*link, id, groups); });
  try {
    co_await std::move(taking);
  } catch (const Fault&) {
    // Of two failures the start's is the one to tell; a guest that runs is not ended for the other.
    if (!failed) failed = std::current_exception();
  }
  if (failed) std::rethrow_exception(failed);
}

}  // namespace satchel
