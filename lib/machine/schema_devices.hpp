// Where each member of a device stands in domain XML and in JSON, written down once: the four
// visitors (XML and JSON, reading and writing) all walk these functions. A path is relative to the
// device's element: "a/b/@c", an element's text when it has no '@', the element itself when empty.
// Internal to lib/machine.
#pragma once

#include "machine/devices.hpp"
#include "machine/shapes.hpp"

namespace satchel::machine {

template <class V>
void fields(V& v, Address& a) {
  v.text("type", "@type", a.type, shape::address);
  const Base base = a.type == "pci" || a.type == "isa" ? Base::hex : Base::decimal;
  v.number("domain", "@domain", a.domain, range::word, base);
  v.number("bus", "@bus", a.bus, range::byte, base);
  v.number("slot", "@slot", a.slot, range::pci_slot, base);
  v.number("function", "@function", a.function, range::pci_function, base);
  v.state("multifunction", "@multifunction", a.multifunction, Spelling::on_off);
  v.number("controller", "@controller", a.controller, range::byte);
  v.number("target", "@target", a.target, range::word);
  v.number("unit", "@unit", a.unit, range::word);
  v.text("port", "@port", a.port, shape::address_port);
  v.number("iobase", "@iobase", a.iobase, range::word, base);
  v.number("irq", "@irq", a.irq, range::byte, base);
}

template <class V>
void fields(V& v, Place& p) {
  v.part("address", "address", p.address);
  v.text("alias", "alias/@name", p.alias, shape::alias);
  v.number("acpi_index", "acpi/@index", p.acpi_index, range::word);
  v.number("boot_order", "boot/@order", p.boot_order, range::word);
  v.state("rom_bar", "rom/@bar", p.rom_bar, Spelling::on_off);
  v.state("rom_enabled", "rom/@enabled", p.rom_enabled, Spelling::yes_no);
}

template <class V>
void fields(V& v, Virtio& o) {
  v.state("iommu", "driver/@iommu", o.iommu, Spelling::on_off);
  v.state("ats", "driver/@ats", o.ats, Spelling::on_off);
  v.state("packed", "driver/@packed", o.packed, Spelling::on_off);
  v.state("page_per_vq", "driver/@page_per_vq", o.page_per_vq, Spelling::on_off);
  v.state("event_idx", "driver/@event_idx", o.event_idx, Spelling::on_off);
  v.number("queues", "driver/@queues", o.queues, range::word);
}

template <class V>
void fields(V& v, Controller& c) {
  v.text("type", "@type", c.type, shape::controller);
  v.number("index", "@index", c.index, range::word);
  v.text("model", "@model", c.model, shape::controller_model);
  v.number("ports", "@ports", c.ports, range::word);
  v.number("vectors", "@vectors", c.vectors, range::word);
  v.number("usb_start_port", "master/@startport", c.usb_start_port, range::byte);
  v.text("pci_model", "model/@name", c.pci_model, shape::pci_model);
  v.number("chassis", "target/@chassis", c.chassis, range::byte);
  v.number("chassis_number", "target/@chassisNr", c.chassis_number, range::byte);
  v.number("port", "target/@port", c.port, range::byte, Base::hex);
  v.number("bus_number", "target/@busNr", c.bus_number, range::byte);
  v.number("pci_index", "target/@index", c.pci_index, range::byte);
  v.state("hotplug", "target/@hotplug", c.hotplug, Spelling::on_off);
  v.number("node", "target/node", c.node, range::byte);
  v.kib("pci_hole_kib", "pcihole64", c.pci_hole_kib);
  v.number("commands_per_lun", "driver/@cmd_per_lun", c.commands_per_lun, range::dword);
  v.number("max_sectors", "driver/@max_sectors", c.max_sectors, range::dword);
  v.part("virtio", "", c.virtio);
  v.part("place", "", c.place);
}

template <class V>
void fields(V& v, Disk& d) {
  v.text("device", "@device", d.device, shape::disk_device);
  v.text("target", "target/@dev", d.target, shape::target);
  v.text("bus", "target/@bus", d.bus, shape::bus);
  v.text("model", "@model", d.model, shape::disk_model);
  v.text("serial", "serial", d.serial, shape::serial);
  v.text("wwn", "wwn", d.wwn, shape::vendor);
  v.text("vendor", "vendor", d.vendor, shape::vendor);
  v.text("product", "product", d.product, shape::vendor);
  v.state("removable", "target/@removable", d.removable, Spelling::on_off);
  v.number("rotation_rate", "target/@rotation_rate", d.rotation_rate, range::word);
  v.number("logical_block", "blockio/@logical_block_size", d.logical_block, range::dword);
  v.number("physical_block", "blockio/@physical_block_size", d.physical_block, range::dword);
  v.number("cylinders", "geometry/@cyls", d.cylinders, range::dword);
  v.number("heads", "geometry/@heads", d.heads, range::dword);
  v.number("sectors", "geometry/@secs", d.sectors, range::dword);
  v.text("translation", "geometry/@trans", d.translation, shape::translation);
  v.flag("read_only", "readonly", d.read_only);
  v.flag("write_through", "write_through", d.write_through);
  v.text("detect_zeroes", "driver/@detect_zeroes", d.detect_zeroes, shape::detect_zeroes);
  v.number("queue_size", "driver/@queue_size", d.queue_size, range::word);
  v.part("virtio", "", d.virtio);
  v.part("place", "", d.place);
}

template <class V>
void fields(V& v, Interface::Offloads& o) {
  v.state("csum", "@csum", o.csum, Spelling::on_off);
  v.state("gso", "@gso", o.gso, Spelling::on_off);
  v.state("tso4", "@tso4", o.tso4, Spelling::on_off);
  v.state("tso6", "@tso6", o.tso6, Spelling::on_off);
  v.state("ecn", "@ecn", o.ecn, Spelling::on_off);
  v.state("ufo", "@ufo", o.ufo, Spelling::on_off);
  v.state("mrg_rxbuf", "@mrg_rxbuf", o.mrg_rxbuf, Spelling::on_off);
  v.state("rss", "@rss", o.rss, Spelling::on_off);
  v.state("rss_hash_report", "@rss_hash_report", o.rss_hash_report, Spelling::on_off);
}

template <class V>
void fields(V& v, Interface& i) {
  v.text("backend", "@type", i.backend, shape::nic_backend);
  v.text("mac", "mac/@address", i.mac, shape::mac);
  v.text("network", "source/@network", i.network, shape::network);
  v.text("model", "model/@type", i.model, shape::nic_model);
  v.state("link", "link/@state", i.link, Spelling::up_down);
  v.number("mtu", "mtu/@size", i.mtu, range::word);
  v.number("receive_queue", "driver/@rx_queue_size", i.receive_queue, range::word);
  v.number("transmit_queue", "driver/@tx_queue_size", i.transmit_queue, range::word);
  v.part("host", "driver/host", i.host);
  v.part("guest", "driver/guest", i.guest);
  v.part("virtio", "", i.virtio);
  v.part("place", "", i.place);
}

template <class V>
void fields(V& v, Port& p) {
  v.text("target", "target/@type", p.target, shape::port_target);
  v.text("model", "target/model/@name", p.model, shape::port_model);
  v.number("number", "target/@port", p.number, range::word);
  v.text("name", "target/@name", p.name, shape::channel);
  v.part("place", "", p.place);
}

template <class V>
void fields(V& v, Input& i) {
  v.text("type", "@type", i.type, shape::input_type);
  v.text("bus", "@bus", i.bus, shape::input_bus);
  v.text("model", "@model", i.model, shape::virtio_model);
  v.part("virtio", "", i.virtio);
  v.part("place", "", i.place);
}

template <class V>
void fields(V& v, Graphics& g) {
  v.text("type", "@type", g.type, shape::graphics);
}

template <class V>
void fields(V& v, Video& d) {
  v.text("model", "model/@type", d.model, shape::video);
  v.number("ram", "model/@ram", d.ram, range::dword);
  v.number("vram", "model/@vram", d.vram, range::dword);
  v.number("vram64", "model/@vram64", d.vram64, range::dword);
  v.number("vgamem", "model/@vgamem", d.vgamem, range::dword);
  v.number("heads", "model/@heads", d.heads, range::byte);
  v.state("primary", "model/@primary", d.primary, Spelling::yes_no);
  v.number("width", "model/resolution/@x", d.width, range::word);
  v.number("height", "model/resolution/@y", d.height, range::word);
  v.part("virtio", "", d.virtio);
  v.part("place", "", d.place);
}

template <class V>
void fields(V& v, Codec& c) {
  v.text("type", "@type", c.type, shape::codec);
}

template <class V>
void fields(V& v, Sound& s) {
  v.text("model", "@model", s.model, shape::sound);
  v.list("codecs", "codec", s.codecs, 8);
  v.part("place", "", s.place);
}

template <class V>
void fields(V& v, Rng& r) {
  v.text("model", "@model", r.model, shape::virtio_model);
  v.number("rate_bytes", "rate/@bytes", r.rate_bytes, range::dword);
  v.number("rate_period", "rate/@period", r.rate_period, range::dword);
  v.part("virtio", "", r.virtio);
  v.part("place", "", r.place);
}

template <class V>
void fields(V& v, Balloon& b) {
  v.text("model", "@model", b.model, shape::balloon);
  v.state("autodeflate", "@autodeflate", b.autodeflate, Spelling::on_off);
  v.state("free_page_reporting", "@freePageReporting", b.free_page_reporting, Spelling::on_off);
  v.number("stats_period", "stats/@period", b.stats_period, range::word);
  v.part("virtio", "", b.virtio);
  v.part("place", "", b.place);
}

template <class V>
void fields(V& v, Watchdog& w) {
  v.text("model", "@model", w.model, shape::watchdog);
  v.text("action", "@action", w.action, shape::watchdog_action);
  v.part("place", "", w.place);
}

template <class V>
void fields(V& v, Tpm& t) {
  v.text("model", "@model", t.model, shape::tpm);
  v.text("version", "backend/@version", t.version, shape::tpm_version);
  v.part("place", "", t.place);
}

template <class V>
void fields(V& v, Panic& p) {
  v.text("model", "@model", p.model, shape::panic);
  v.part("place", "", p.place);
}

template <class V>
void fields(V& v, Iommu& i) {
  v.text("model", "@model", i.model, shape::iommu);
  v.state("intremap", "driver/@intremap", i.intremap, Spelling::on_off);
  v.state("caching_mode", "driver/@caching_mode", i.caching_mode, Spelling::on_off);
  v.state("eim", "driver/@eim", i.eim, Spelling::on_off);
  v.state("iotlb", "driver/@iotlb", i.iotlb, Spelling::on_off);
  v.number("address_bits", "driver/@aw_bits", i.address_bits, range::byte);
  v.part("place", "", i.place);
}

template <class V>
void fields(V& v, UsbPart& u) {
  v.part("place", "", u.place);
}

template <class V>
void fields(V& v, Devices& d) {
  v.list("controllers", "controller", d.controllers, 300);
  v.list("disks", "disk", d.disks, 64);
  v.list("interfaces", "interface", d.interfaces, 64);
  v.list("serials", "serial", d.serials, 16);
  v.list("parallels", "parallel", d.parallels, 4);
  v.list("consoles", "console", d.consoles, 16);
  v.list("channels", "channel", d.channels, 32);
  v.list("inputs", "input", d.inputs, 16);
  v.list("graphics", "graphics", d.graphics, 4);
  v.list("sounds", "sound", d.sounds, 8);
  v.list("videos", "video", d.videos, 16);
  v.list("watchdogs", "watchdog", d.watchdogs, 4);
  v.list("balloons", "memballoon", d.balloons, 1);
  v.list("rngs", "rng", d.rngs, 8);
  v.list("tpms", "tpm", d.tpms, 1);
  v.list("hubs", "hub", d.hubs, 16);
  v.list("redirections", "redirdev", d.redirections, 16);
  v.list("panics", "panic", d.panics, 4);
  v.list("iommus", "iommu", d.iommus, 1);
}

}  // namespace satchel::machine
