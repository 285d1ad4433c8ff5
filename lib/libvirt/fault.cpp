#include "libvirt/fault.hpp"

#include <libvirt/virterror.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

namespace satchel {

namespace {

constexpr auto start_libvirt =
    "Start libvirt and try again: systemctl start libvirtd (or virtqemud, where that is used).";

struct Advice {
  Remedy remedy;
  std::string next;
};

/// Of what a helper of libvirt's has failed with there is this alone, in words.
bool is_without_room(const virError& error) {
  const std::string_view said = error.message ? error.message : "";
  return said.find(std::generic_category().message(ENOSPC)) != said.npos ||
         said.find(std::generic_category().message(EDQUOT)) != said.npos;
}

/// libvirt's daemon ended within a call, or was not there for one.
bool is_lost_connection(const virError& error) {
  if (error.domain != VIR_FROM_RPC) return false;
  if (error.code == VIR_ERR_INTERNAL_ERROR) return true;  // "client socket is closed"
  // errno is in int1, see virterror.h. ECONNREFUSED, ENOENT: nobody listens, or it is not even
  // there.
  constexpr std::array lost = {EIO, ECONNRESET, EPIPE, ENOTCONN, ECONNREFUSED, ENOENT};
  return error.code == VIR_ERR_SYSTEM_ERROR &&
         std::find(lost.begin(), lost.end(), error.int1) != lost.end();
}

Advice advice_for(const virError& error) {
  if (is_lost_connection(error)) return {Remedy::retry, start_libvirt};
  switch (error.code) {
    case VIR_ERR_NO_DOMAIN:
      return {Remedy::fix_request, "Check the machine's name with `virsh list --all`."};
    case VIR_ERR_OPERATION_INVALID:
    case VIR_ERR_DOM_EXIST:
    case VIR_ERR_INVALID_ARG:
    case VIR_ERR_INVALID_DOMAIN:
      return {Remedy::fix_request, {}};
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_INVALID_CONN:
    case VIR_ERR_RPC:
      return {Remedy::retry, start_libvirt};
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_OPERATION_ABORTED:
    case VIR_ERR_RESOURCE_BUSY:
    case VIR_ERR_AGENT_UNRESPONSIVE:
      return {Remedy::retry, {}};
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_OPERATION_DENIED:
      return {Remedy::ask_admin, {}};
    case VIR_ERR_OPERATION_FAILED:
      if (is_without_room(error)) return {Remedy::free_space, {}};
      return {Remedy::fix_config, {}};
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_XML_INVALID_SCHEMA:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_CONF_SYNTAX:
    case VIR_ERR_CPU_INCOMPATIBLE:
    case VIR_ERR_NO_NETWORK:
      return {Remedy::fix_config, {}};
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
      return {Remedy::later_version, {}};
    case VIR_ERR_SYSTEM_ERROR:
      // A save whose reader went away: the guest runs on.
      if (error.int1 == EPIPE || error.int1 == ETIMEDOUT) return {Remedy::retry, {}};
      // Of other errors of disks nobody knows that they are about one: a socket's, say.
      if (is_disk_error(error.int1) && error.int1 != EIO && error.int1 != ENODEV &&
          error.int1 != ENXIO)
        return {Remedy::report_bug, {}};
      return {fault_from_errno(error.int1, {}, {}).remedy(), {}};
    default:
      return {Remedy::report_bug, {}};
  }
}

}  // namespace

Fault libvirt_fault(std::string doing, std::string object) {
  const virError* error = virGetLastError();
  if (!error)
    return Fault(
        Remedy::report_bug,
        Fault::Text{std::move(doing), std::move(object), "libvirt failed without an error", {}});
  auto advice = advice_for(*error);
  return Fault(advice.remedy, Fault::Text{std::move(doing), std::move(object), libvirt_error_text(),
                                          std::move(advice.next)});
}

void throw_libvirt_fault(std::string doing, std::string object) {
  throw libvirt_fault(std::move(doing), std::move(object));
}

void throw_libvirt_fault(std::string doing, virDomainPtr domain) {
  const auto fault = libvirt_fault({}, {});
  const char* name = virDomainGetName(domain);
  throw Fault(fault.remedy(), Fault::Text{std::move(doing), name ? name : "a machine",
                                          fault.text().why, fault.text().next});
}

int libvirt_error_code() { return virGetLastErrorCode(); }

std::string libvirt_error_text() {
  std::string text = virGetLastErrorMessage();
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace satchel
