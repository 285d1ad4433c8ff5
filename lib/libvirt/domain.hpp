// Steps that most calls on a domain share. Blocking, on a lane. Inner header of lib/libvirt.
#pragma once

#include <memory>
#include <string>

#include "libvirt/fault.hpp"
#include "libvirt/handles.hpp"
#include "libvirt/link.hpp"

namespace satchel {

/// Throws Fault, also when there is no such domain.
DomainHandle lookup(const std::shared_ptr<virConnect>& connection, DomainId id,
                    const std::string& doing);

/// virDomainGetXMLDesc; throws Fault.
std::string xml_of(virDomainPtr domain, unsigned flags);

/// A call on a domain that gives 0, or -1 with libvirt's error set.
template <class F>
Task<void> act(Lane& lane, std::shared_ptr<Link> link, DomainId id, std::string doing, F call) {
  return offload(lane, [link, id, doing, call] {
    const auto connection = link->connection();
    const auto domain = lookup(connection, id, doing);
    if (call(domain.get()) < 0) throw_libvirt_fault(doing, domain.get());
  });
}

}  // namespace satchel
