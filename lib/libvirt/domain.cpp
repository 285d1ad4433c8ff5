#include "libvirt/domain.hpp"

namespace satchel {

DomainHandle lookup(const std::shared_ptr<virConnect>& connection, DomainId id,
                    const std::string& doing) {
  DomainHandle domain(virDomainLookupByUUID(connection.get(), id.value.bytes().data()));
  if (!domain) throw_libvirt_fault(doing, "machine " + id.value.str());
  return domain;
}

std::string xml_of(virDomainPtr domain, unsigned flags) {
  const CText text(virDomainGetXMLDesc(domain, flags));
  if (!text) throw_libvirt_fault("describe", domain);
  return text.get();
}

}  // namespace satchel
