#include "libvirt/hypervisor.hpp"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "libvirt/domain.hpp"
#include "libvirt/events.hpp"
#include "libvirt/fault.hpp"
#include "libvirt/link.hpp"
#include "libvirt/xml.hpp"
#include "ports/saved_already.hpp"

namespace satchel {

namespace {

/// A driver that can't keep any has none.
bool has_saved_memory(virDomainPtr domain) {
  const int there = virDomainHasManagedSaveImage(domain, 0);
  if (there < 0 && libvirt_error_code() != VIR_ERR_NO_SUPPORT &&
      libvirt_error_code() != VIR_ERR_NO_DOMAIN)
    throw_libvirt_fault("ask about", domain);
  return there == 1;
}

/// The description in what is kept; none where a save was cut short, which holds nothing: libvirt
/// itself passes over it at the next start.
std::optional<std::string> description_kept(virDomainPtr domain) {
  const std::unique_ptr<char, decltype(&std::free)> xml(
      virDomainManagedSaveGetXMLDesc(domain, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE), &std::free);
  if (xml) return std::string(xml.get());
  if (libvirt_error_code() == VIR_ERR_OPERATION_FAILED) return std::nullopt;
  throw_libvirt_fault("read what libvirt saved of", domain);
}

/// None when it has gone meanwhile.
std::optional<DomainEntry> entry_of(virDomainPtr domain) {
  std::array<std::uint8_t, 16> uuid{};
  int state = 0;
  int reason = 0;
  const int persistent = virDomainIsPersistent(domain);
  if (virDomainGetUUID(domain, uuid.data()) < 0 || persistent < 0 ||
      virDomainGetState(domain, &state, &reason, 0) < 0) {
    if (libvirt_error_code() == VIR_ERR_NO_DOMAIN) return std::nullopt;
    throw_libvirt_fault("ask about", "a machine");
  }
  DomainEntry entry{DomainId(Uuid(uuid)), virDomainGetName(domain), guest_state(state, reason),
                    persistent == 1};
  if (entry.persistent && entry.state == GuestState::shut_off)
    entry.has_saved_memory = has_saved_memory(domain);
  return entry;
}

}  // namespace

LibvirtHypervisor::LibvirtHypervisor(std::string uri, boost::asio::any_io_executor loop,
                                     Lanes& lanes)
    : link_(std::make_shared<Link>(std::move(uri), std::move(loop), lanes)), lanes_(lanes) {}

LibvirtHypervisor::~LibvirtHypervisor() { link_->close(); }

void LibvirtHypervisor::listen(std::function<void(GuestEvent)> on_event) {
  link_->listen(std::move(on_event));
}

void LibvirtHypervisor::listen_connection(std::function<void(bool)> on_change) {
  link_->listen_connection(std::move(on_change));
}

Task<std::vector<DomainEntry>> LibvirtHypervisor::domains() {
  return offload(lanes_.quick, [link = link_] {
    const auto connection = link->connection();
    virDomainPtr* list = nullptr;
    const int count = virConnectListAllDomains(connection.get(), &list, 0);
    if (count < 0) throw_libvirt_fault("list the machines of", link->uri());
    std::vector<DomainHandle> owned(list, list + count);
    std::free(list);
    std::vector<DomainEntry> entries;
    for (const auto& domain : owned)
      if (auto entry = entry_of(domain.get())) entries.push_back(std::move(*entry));
    return entries;
  });
}

Task<std::optional<DomainXml>> LibvirtHypervisor::describe(std::string name_or_id) {
  return offload(lanes_.quick, [link = link_, name_or_id] {
    const auto connection = link->connection();
    DomainHandle domain;
    if (const auto uuid = Uuid::parse(name_or_id))
      domain.reset(virDomainLookupByUUID(connection.get(), uuid->bytes().data()));
    if (!domain) domain.reset(virDomainLookupByName(connection.get(), name_or_id.c_str()));
    std::optional<DomainXml> described;
    if (!domain) {
      if (libvirt_error_code() == VIR_ERR_NO_DOMAIN) return described;
      throw_libvirt_fault("look up", name_or_id);
    }
    auto entry = entry_of(domain.get());
    if (!entry) return described;
    described.emplace(DomainXml{std::move(*entry), {}, {}});
    if (virDomainIsActive(domain.get()) == 1)
      described->live = xml_of(domain.get(), VIR_DOMAIN_XML_SECURE);
    if (described->entry.persistent)
      described->inactive = xml_of(domain.get(), VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE);
    return described;
  });
}

Task<std::optional<DomainEntry>> LibvirtHypervisor::find(DomainId id) {
  if (const auto known = saving_.find(id); known != saving_.end()) co_return known->second;
  auto asking = offload(lanes_.quick, [link = link_, id] {
    const auto connection = link->connection();
    const DomainHandle domain(virDomainLookupByUUID(connection.get(), id.value.bytes().data()));
    if (domain) return entry_of(domain.get());
    if (libvirt_error_code() != VIR_ERR_NO_DOMAIN)
      throw_libvirt_fault("look up", "machine " + id.value.str());
    return std::optional<DomainEntry>();
  });
  co_return co_await std::move(asking);
}

Task<void> LibvirtHypervisor::define(std::string xml) {
  return offload(lanes_.quick, [link = link_, xml] {
    const auto connection = link->connection();
    DomainHandle domain(virDomainDefineXMLFlags(connection.get(), xml.c_str(), 0));
    if (!domain) throw_libvirt_fault("define", "a machine");
  });
}

Task<void> LibvirtHypervisor::undefine(DomainId id) {
  return offload(lanes_.quick, [link = link_, id] {
    const auto connection = link->connection();
    DomainHandle domain(virDomainLookupByUUID(connection.get(), id.value.bytes().data()));
    const unsigned keep = VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | VIR_DOMAIN_UNDEFINE_KEEP_TPM;
    if (domain && virDomainIsPersistent(domain.get()) == 0) return;
    // A save that was cut short is in the way, and of no use; where it stays, undefining tells why.
    if (domain && has_saved_memory(domain.get()) && !description_kept(domain.get()))
      virDomainManagedSaveRemove(domain.get(), 0);
    if (domain && virDomainUndefineFlags(domain.get(), keep) == 0) return;
    // A driver that has neither NVRAM nor TPMs knows no flags for them.
    if (domain && libvirt_error_code() == VIR_ERR_INVALID_ARG &&
        virDomainUndefine(domain.get()) == 0)
      return;
    if (libvirt_error_code() == VIR_ERR_NO_DOMAIN) return;
    throw_libvirt_fault("undefine", "machine " + id.value.str());
  });
}

Task<void> LibvirtHypervisor::start(DomainId id, std::string xml) {
  if (uuid_in(xml) != id)
    throw Fault(
        Remedy::report_bug,
        Fault::Text{
            "start", "machine " + id.value.str(), "the description is another machine's", {}});
  // Leaves a persistent definition of the same machine as it is, and makes it the live one's heir.
  return after_start(
      id, offload(lanes_.slow, [link = link_, id, xml] {
        const auto connection = link->connection();
        const DomainHandle domain(virDomainCreateXML(connection.get(), xml.c_str(), 0));
        if (!domain) throw_libvirt_fault("start", "machine " + id.value.str());
      }));
}

Task<std::string> LibvirtHypervisor::saved_description(DomainId id) {
  return offload(lanes_.quick, [link = link_, id] {
    const auto connection = link->connection();
    const auto domain = lookup(connection, id, "ask about");
    if (!has_saved_memory(domain.get())) return std::string();
    return description_kept(domain.get()).value_or(std::string());
  });
}

Task<void> LibvirtHypervisor::restore_saved(DomainId id, std::string xml) {
  return after_start(
      id, act(lanes_.slow, link_, id, "restore", [xml](virDomainPtr domain) {
        if (virDomainManagedSaveDefineXML(domain, xml.c_str(), VIR_DOMAIN_SAVE_PAUSED) < 0)
          return -1;
        return virDomainCreateWithFlags(domain, VIR_DOMAIN_START_PAUSED);
      }));
}

Task<void> LibvirtHypervisor::drop_saved(DomainId id) {
  return offload(lanes_.quick, [link = link_, id] {
    const auto connection = link->connection();
    const DomainHandle domain(virDomainLookupByUUID(connection.get(), id.value.bytes().data()));
    if (domain && !has_saved_memory(domain.get())) return;
    if (domain && virDomainManagedSaveRemove(domain.get(), 0) == 0) return;
    if (libvirt_error_code() == VIR_ERR_NO_DOMAIN) return;
    throw_libvirt_fault("drop the saved memory of", "machine " + id.value.str());
  });
}

Task<void> LibvirtHypervisor::restore(DomainId id, std::string path, std::string xml) {
  return after_start(
      id, offload(lanes_.slow, [link = link_, id, path, xml] {
        const auto connection = link->connection();
        if (virDomainRestoreFlags(connection.get(), path.c_str(),
                                  xml.empty() ? nullptr : xml.c_str(), VIR_DOMAIN_SAVE_PAUSED) < 0)
          throw_libvirt_fault("restore", "machine " + id.value.str() + " from " + path);
      }));
}

Task<void> LibvirtHypervisor::resume(DomainId id) {
  return act(lanes_.quick, link_, id, "resume", virDomainResume);
}

Task<void> LibvirtHypervisor::pause(DomainId id) {
  return act(lanes_.quick, link_, id, "pause", virDomainSuspend);
}

Task<void> LibvirtHypervisor::destroy(DomainId id) {
  return act(lanes_.quick, link_, id, "end", virDomainDestroy);
}

namespace {

/// What QEMU (migration/migration.c) answers who wants a guest's memory a second time that has not
/// run since; the guest's state and its reason, as libvirt keeps them, do not tell.
constexpr auto given_before = "paused due to previous migration";

}  // namespace

Task<void> LibvirtHypervisor::save(DomainId id, std::string path) {
  const auto before = co_await find(id);
  auto saving = act(lanes_.slow, link_, id, "save", [path](virDomainPtr domain) {
    return virDomainSaveFlags(domain, path.c_str(), nullptr, 0);
  });
  if (before) {
    auto meanwhile = *before;
    if (meanwhile.state == GuestState::running) meanwhile.state = GuestState::paused;
    saving_.insert_or_assign(id, std::move(meanwhile));
  }
  std::exception_ptr failed;
  try {
    co_await std::move(saving);
  } catch (const Fault&) {
    failed = std::current_exception();
  }
  saving_.erase(id);
  if (!failed) co_return;
  try {
    std::rethrow_exception(failed);
  } catch (const Fault& failure) {
    if (failure.text().why.find(given_before) != std::string::npos) throw SavedAlready(failure);
    throw;
  }
}

Task<void> LibvirtHypervisor::abort_job(DomainId id) {
  return act(lanes_.quick, link_, id, "abort the job of", [](virDomainPtr domain) {
    const int result = virDomainAbortJob(domain);
    const int code = libvirt_error_code();
    const bool idle = code == VIR_ERR_OPERATION_INVALID || code == VIR_ERR_NO_SUPPORT;
    return result < 0 && idle ? 0 : result;
  });
}

Task<bool> LibvirtHypervisor::set_guest_time(DomainId id) {
  // An agent that is there but does not answer must not hold up whoever asks a quick question.
  return offload(lanes_.slow, [link = link_, id] {
    constexpr int patience_s = 5;
    const auto connection = link->connection();
    const auto domain = lookup(connection, id, "set the clock of");
    // Asked without one, libvirt answers with an error in its own log too.
    if (xml_of(domain.get(), 0).find("org.qemu.guest_agent.") == std::string::npos) return false;
    if (virDomainAgentSetResponseTimeout(domain.get(), patience_s, 0) >= 0 &&
        virDomainSetTime(domain.get(), 0, 0, VIR_DOMAIN_TIME_SYNC) == 0)
      return true;
    switch (libvirt_error_code()) {
      case VIR_ERR_AGENT_UNRESPONSIVE:
      case VIR_ERR_AGENT_UNSYNCED:
      case VIR_ERR_OPERATION_INVALID:  // suspended or ended meanwhile
      case VIR_ERR_ARGUMENT_UNSUPPORTED:
      case VIR_ERR_OPERATION_UNSUPPORTED:
      case VIR_ERR_NO_SUPPORT:
        return false;
      default:
        throw_libvirt_fault("set the clock of", domain.get());
    }
  });
}

}  // namespace satchel
