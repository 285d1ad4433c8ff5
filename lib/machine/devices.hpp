// The devices of a machine as the guest sees them: what its memory image depends on, and nothing
// that names a host. A Word is one of libvirt's words, checked against an allow-list (schema) at
// both borders, XML and JSON; empty or unset means that the description leaves it to libvirt.
// Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace satchel::machine {

using Word = std::string;
using Number = std::optional<std::uint64_t>;
enum class Switch { unset, on, off };

/// `<address>`: QEMU names most sections of its stream by these, not by device ids.
struct Address {
  Word type;  ///< pci, drive, virtio-serial, usb, isa
  Number domain, bus, slot, function;
  Switch multifunction = Switch::unset;
  Number controller, target, unit;
  std::string port;  ///< "2.1" on USB, a number on virtio-serial
  Number iobase, irq;
  bool operator==(const Address&) const = default;
};

/// What every device has.
struct Place {
  std::optional<Address> address;
  std::string alias;  ///< the user's own only ("ua-…"); the others are libvirt's to make
  Number acpi_index;
  Number boot_order;
  Switch rom_bar = Switch::unset;
  Switch rom_enabled = Switch::unset;
  bool operator==(const Place&) const = default;
};

/// Options of the virtio transport that decide which features the guest negotiated.
struct Virtio {
  Switch iommu = Switch::unset;
  Switch ats = Switch::unset;
  Switch packed = Switch::unset;
  Switch page_per_vq = Switch::unset;
  Switch event_idx = Switch::unset;
  Number queues;
  bool operator==(const Virtio&) const = default;
};

struct Controller {
  Word type;
  Number index;
  Word model;
  Number ports, vectors;
  Number usb_start_port;  ///< of a companion controller
  Word pci_model;         ///< QEMU's name for the bridge: "pcie-root-port"
  Number chassis, chassis_number, port, bus_number, pci_index, node;
  Switch hotplug = Switch::unset;
  Number pci_hole_kib;
  Number commands_per_lun, max_sectors;
  Virtio virtio;
  Place place;
  bool operator==(const Controller&) const = default;
};

struct Disk {
  std::string target;  ///< "vda"
  Word bus;
  Word device;  ///< disk, cdrom, floppy; the last two always travel empty
  Word model;
  std::string serial, wwn, vendor, product;
  Switch removable = Switch::unset;
  Number rotation_rate;
  Number logical_block, physical_block;
  Number cylinders, heads, sectors;
  Word translation;
  bool read_only = false;
  /// A disk that told the guest it has no volatile cache: the guest sends no flushes to it, so each
  /// host must write it through.
  bool write_through = false;
  Word detect_zeroes;
  Number queue_size;
  Virtio virtio;
  Place place;
  bool operator==(const Disk&) const = default;
};

struct Interface {
  std::string mac;
  Word model;
  std::string network;  ///< name where it came from: a hint for the next host's map; may be empty
  Word backend;         ///< tap or user: the memory image resumes only on the same kind
  Switch link = Switch::unset;  ///< off: unplugged
  Number mtu;
  Number receive_queue, transmit_queue;
  struct Offloads {
    Switch csum = Switch::unset, gso = Switch::unset, tso4 = Switch::unset, tso6 = Switch::unset,
           ecn = Switch::unset, ufo = Switch::unset, mrg_rxbuf = Switch::unset, rss = Switch::unset,
           rss_hash_report = Switch::unset;
    bool operator==(const Offloads&) const = default;
  };
  Offloads host, guest;
  Virtio virtio;
  Place place;
  bool operator==(const Interface&) const = default;
};

/// `<serial>`, `<parallel>`, `<console>` and `<channel>`: the guest's end only.
struct Port {
  Word target;  ///< isa-serial, pci-serial, usb-serial, virtio …
  Word model;
  Number number;
  std::string name;  ///< of a virtio channel: "org.qemu.guest_agent.0"
  Place place;
  bool operator==(const Port&) const = default;
};

struct Input {
  Word type, bus, model;
  Virtio virtio;
  Place place;
  bool operator==(const Input&) const = default;
};

struct Graphics {
  Word type;  ///< vnc, spice
  bool operator==(const Graphics&) const = default;
};

struct Video {
  Word model;
  Number ram, vram, vram64, vgamem, heads;  ///< KiB, and a count
  Switch primary = Switch::unset;
  Number width, height;
  Virtio virtio;
  Place place;
  bool operator==(const Video&) const = default;
};

struct Codec {
  Word type;
  bool operator==(const Codec&) const = default;
};

struct Sound {
  Word model;
  std::vector<Codec> codecs;
  Place place;
  bool operator==(const Sound&) const = default;
};

struct Rng {
  Word model;
  Number rate_bytes, rate_period;
  Virtio virtio;
  Place place;
  bool operator==(const Rng&) const = default;
};

struct Balloon {
  Word model;
  Switch autodeflate = Switch::unset;
  Switch free_page_reporting = Switch::unset;
  Number stats_period;
  Virtio virtio;
  Place place;
  bool operator==(const Balloon&) const = default;
};

struct Watchdog {
  Word model, action;
  Place place;
  bool operator==(const Watchdog&) const = default;
};

/// An emulated TPM; its state travels beside the description.
struct Tpm {
  Word model, version;
  Place place;
  bool operator==(const Tpm&) const = default;
};

struct Panic {
  Word model;
  Place place;
  bool operator==(const Panic&) const = default;
};

struct Iommu {
  Word model;
  Switch intremap = Switch::unset, caching_mode = Switch::unset, eim = Switch::unset,
         iotlb = Switch::unset;
  Number address_bits;
  Place place;
  bool operator==(const Iommu&) const = default;
};

/// A USB hub, or a USB redirection port: nothing but where it is.
struct UsbPart {
  Place place;
  bool operator==(const UsbPart&) const = default;
};

struct Devices {
  std::vector<Controller> controllers;
  std::vector<Disk> disks;
  std::vector<Interface> interfaces;
  std::vector<Port> serials, parallels, consoles, channels;
  std::vector<Input> inputs;
  std::vector<Graphics> graphics;
  std::vector<Sound> sounds;
  std::vector<Video> videos;
  std::vector<Watchdog> watchdogs;
  std::vector<Balloon> balloons;
  std::vector<Rng> rngs;
  std::vector<Tpm> tpms;
  std::vector<UsbPart> hubs, redirections;
  std::vector<Panic> panics;
  std::vector<Iommu> iommus;
  bool operator==(const Devices&) const = default;
};

}  // namespace satchel::machine
