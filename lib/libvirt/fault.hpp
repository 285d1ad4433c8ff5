// libvirt's errors as Faults. The error is kept by libvirt per thread: call these in the thread
// whose call failed, at once. Inner header of lib/libvirt.
#pragma once

#include <libvirt/libvirt.h>

#include <string>

#include "base/fault.hpp"

namespace satchel {

/// The Fault for this thread's last libvirt error; its remedy follows from the error's code.
Fault libvirt_fault(std::string doing, std::string object);

[[noreturn]] void throw_libvirt_fault(std::string doing, std::string object);
/// The same, about a domain: its name is fetched only after the error, which libvirt would forget.
[[noreturn]] void throw_libvirt_fault(std::string doing, virDomainPtr domain);

/// The code (virErrorNumber) and the text of this thread's last libvirt error.
int libvirt_error_code();
std::string libvirt_error_text();

}  // namespace satchel
