// A machine that was no libvirt domain before: from what was asked for to its description. Devices
// are those that today's guests drive best; whoever knows the operating system says where an older
// one needs others. Nothing has an address yet: libvirt gives those at the first start, and the
// first eject notes them. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "machine/description.hpp"

namespace satchel::machine {

struct Wish {
  std::string name;  ///< of the capsule; the machine's is what libvirt can bear of it
  Accelerator accelerator{};
  std::string machine_type;  ///< "pc-q35-7.2"
  ByteCount memory;
  std::uint64_t cpus = 1;
  std::optional<Cpu> cpu;  ///< none: QEMU's default model
  enum class Kind { bios, efi } firmware = Kind::bios;
  Word disk_bus = "virtio";  ///< virtio, sata, usb
  Word network = "virtio";   ///< a model; empty: no interface
  Word video = "virtio";     ///< a model; "none": no display at all
  enum class Clock { utc, local_time } clock = Clock::utc;
  enum class Drives { no, yes };
  Drives rng = Drives::yes;  ///< whether the guest has drivers for them
  Drives balloon = Drives::yes;
  Drives agent = Drives::yes;  ///< a channel for the guest agent
  Drives tablet = Drives::yes;
  Drives hyperv = Drives::no;  ///< is Windows; counts under KVM only
  enum class Medium { none, cd } medium = Medium::none;
};

/// The description, with one disk, and with a CD drive where a medium is asked for; disk first in
/// the boot order, so that a new machine starts the CD while its disk is empty. Mistakes are words
/// and numbers that no machine can have, each with its place in the description's JSON.
Result<Description> build_machine(const Wish& wish);

/// The disk's and the CD drive's target in such a machine.
std::string disk_target(const Wish& wish);
std::string cd_target(const Wish& wish);

/// The newest of the versioned q35 machine types; none when there is none.
std::optional<std::string> newest_q35(const std::vector<std::string>& machine_types);
/// Whether a versioned machine type ("pc-q35-7.2") is older than another; by number, not by text.
bool older_type(std::string_view one, std::string_view other);

}  // namespace satchel::machine
