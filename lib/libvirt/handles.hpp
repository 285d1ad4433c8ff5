// Owners of libvirt's objects. Inner header of lib/libvirt.
#pragma once

#include <libvirt/libvirt.h>

#include <cstdlib>
#include <memory>

#include "base/handle.hpp"

namespace satchel {

using DomainHandle = Handle<virDomain, virDomainFree>;
using NetworkHandle = Handle<virNetwork, virNetworkFree>;
using SnapshotHandle = Handle<virDomainSnapshot, virDomainSnapshotFree>;
using CText = Handle<char, std::free>;

}  // namespace satchel
