// The structures that differ between libvirt's XML and the schema, and the disks' sources.
#include <algorithm>
#include <cstring>

#include "machine/shapes.hpp"
#include "machine/sorting.hpp"
#include "machine/xml_visitors.hpp"

namespace satchel::machine {

namespace {

bool is_one_of(const char* text, std::initializer_list<const char*> words) {
  for (const char* word : words) {
    if (std::strcmp(text, word) == 0) return true;
  }
  return false;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// libvirt takes names of any characters, of which not all travel: on other computers the machine
/// is called by what is left.
void straighten_name(pugi::xml_node domain, Sorted& sorted) {
  const std::string name = domain.child("name").child_value();
  if (name.empty() || shape::name.fits(name)) return;
  std::string fitted;
  for (const char& c : name) {
    const bool goes_on = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;  // within a character
    if (!goes_on) fitted += shape::name.fits(std::string_view(&c, 1)) ? c : '-';
  }
  fitted.resize(std::min(fitted.size(), shape::name.longest));
  domain.child("name").text().set(fitted.c_str());
  sorted.left_behind.push_back(
      {"domain/name", "libvirt on other computers calls it \"" + fitted + "\""});
}

void straighten_firmware(pugi::xml_node os, Sorted& sorted) {
  pugi::xml_node loader = os.child("loader");
  const bool efi = loader || std::strcmp(os.attribute("firmware").value(), "efi") == 0;
  os.remove_attribute("firmware");
  os.append_attribute("firmware").set_value(efi ? "efi" : "bios");
  const std::string name = base_name(loader.child_value());
  const std::string secure = loader.attribute("secure").value();
  os.remove_child("loader");
  os.remove_child("nvram");
  if (loader) {
    loader = os.append_child("loader");
    if (!name.empty()) loader.append_attribute("name").set_value(name.c_str());
    if (!secure.empty()) loader.append_attribute("secure").set_value(secure.c_str());
  }
  pugi::xml_attribute smbios = os.child("smbios").attribute("mode");
  if (std::strcmp(smbios.value(), "host") == 0) {
    smbios.set_value("emulate");
    sorted.left_behind.push_back({"domain/os/smbios", "this host's own SMBIOS tables stay here"});
  }
}

/// `<sysinfo><system><entry name=…>` becomes `<sysinfo><entry table='system' name=…>`.
void straighten_smbios(pugi::xml_node domain) {
  pugi::xml_node sysinfo = domain.child("sysinfo");
  if (!sysinfo) return;
  sysinfo.remove_attribute("type");
  std::vector<pugi::xml_node> tables(sysinfo.begin(), sysinfo.end());
  for (pugi::xml_node table : tables) {
    if (!shape::smbios_table.fits(table.name())) continue;  // the sweep reports what is left
    for (pugi::xml_node entry : table.children("entry")) {
      pugi::xml_node moved = sysinfo.append_copy(entry);
      moved.append_attribute("table").set_value(table.name());
    }
    sysinfo.remove_child(table);
  }
}

void straighten_hyperv(pugi::xml_node hyperv) {
  hyperv.remove_attribute("mode");
  for (pugi::xml_node item : hyperv.children()) {
    if (!shape::enlightenment.fits(item.name())) continue;
    item.append_attribute("name").set_value(item.name());
    item.set_name("entry");
  }
}

void straighten_interface(pugi::xml_node interface, Sorted& sorted) {
  const std::string type = interface.attribute("type").value();
  const std::string network = interface.child("source").attribute("network").value();
  const std::string source = interface.child("source").first_attribute().value();
  const bool tap = is_one_of(type.c_str(), {"network", "bridge", "direct", "ethernet"});
  interface.attribute("type").set_value(tap ? "tap" : "user");
  interface.remove_child("source");
  if (type == "network") {
    interface.append_child("source").append_attribute("network").set_value(network.c_str());
  } else if (type != "user") {
    sorted.left_behind.push_back(
        {place_of(interface), "its connection to this host's \"" + type +
                                  (source.empty() ? "" : " " + source) +
                                  "\" stays here: the next host connects it by its own rules"});
  }
}

void straighten_disk(pugi::xml_node disk) {
  pugi::xml_attribute cache = disk.child("driver").attribute("cache");
  if (is_one_of(cache.value(), {"writethrough", "directsync"})) disk.append_child("write_through");
  disk.child("driver").remove_attribute(cache);
  if (!disk.attribute("device")) disk.append_attribute("device").set_value("disk");
}

std::string source_path(const pugi::xml_node& source) {
  const pugi::xml_attribute file = source.attribute("file");
  return file ? file.value() : source.attribute("dev").value();
}

/// "" is not said (libvirt then takes raw), "?" is one that can't travel.
std::string format_of(const char* format) {
  if (*format == '\0') return "raw";
  return is_one_of(format, {"raw", "qcow2"}) ? format : "?";
}

void read_chain(pugi::xml_node disk, DiskSource& source, Sorted& sorted) {
  pugi::xml_node below = disk.child("backingStore");
  for (; below && below.child("source"); below = below.child("backingStore")) {
    Backing backing{source_path(below.child("source")),
                    format_of(below.child("format").attribute("type").value())};
    if (!is_one_of(below.attribute("type").value(), {"file", "block"}) || backing.path.empty() ||
        backing.format == "?") {
      sorted.refused.push_back(
          {place_of(below), "only raw and qcow2 images in files or on block devices can travel"});
    }
    source.backing.push_back(std::move(backing));
  }
  source.chain = below ? DiskSource::Chain::as_listed : DiskSource::Chain::unknown;
}

}  // namespace

std::vector<DiskSource> disk_sources(pugi::xml_node domain, Sorted& sorted) {
  std::vector<DiskSource> sources;
  for (pugi::xml_node disk : domain.child("devices").children("disk")) {
    const std::string path = source_path(disk.child("source"));
    if (is_one_of(disk.attribute("device").value(), {"cdrom", "floppy"})) {
      if (disk.child("source")) {
        sorted.left_behind.push_back(
            {place_of(disk), "the medium " + path + " stays here: the drive travels empty"});
      }
      continue;
    }
    if (!is_one_of(disk.attribute("type").value(), {"file", "block"})) continue;  // take_out tells
    DiskSource source;
    source.target = disk.child("target").attribute("dev").value();
    source.path = path;
    source.format = format_of(disk.child("driver").attribute("type").value());
    if (path.empty()) sorted.refused.push_back({place_of(disk), "has no file"});
    if (source.format == "?") {
      sorted.refused.push_back({place_of(disk), "only raw and qcow2 images can travel"});
    }
    read_chain(disk, source, sorted);
    sources.push_back(std::move(source));
  }
  return sources;
}

void straighten(pugi::xml_node domain, Sorted& sorted) {
  straighten_name(domain, sorted);
  straighten_firmware(domain.child("os"), sorted);
  straighten_smbios(domain);
  if (pugi::xml_node hyperv = domain.child("features").child("hyperv")) straighten_hyperv(hyperv);
  pugi::xml_node devices = domain.child("devices");
  for (pugi::xml_node interface : devices.children("interface")) {
    straighten_interface(interface, sorted);
  }
  for (pugi::xml_node disk : devices.children("disk")) straighten_disk(disk);
  if (devices.find_child_by_attribute("graphics", "type", "spice"))
    sorted.left_behind.push_back({"domain/devices/graphics[@type='spice']",
                                  "its display is shown by VNC: SPICE, with its clipboard and USB "
                                  "redirection, stays here"});
  pugi::xml_node on_crash = domain.child("on_crash");
  if (std::strncmp(on_crash.child_value(), "coredump", 8) == 0) {
    on_crash.text().set("destroy");
    sorted.left_behind.push_back({"domain/on_crash", "no core dump is written on other hosts"});
  }
}

void unfold(pugi::xml_node domain) {
  if (pugi::xml_node sysinfo = domain.child("sysinfo")) {
    sysinfo.append_attribute("type").set_value("smbios");
    const std::vector<pugi::xml_node> entries(sysinfo.begin(), sysinfo.end());
    for (pugi::xml_node entry : entries) {
      const std::string name = entry.attribute("table").value();
      pugi::xml_node table = sysinfo.child(name.c_str());
      if (!table) table = sysinfo.append_child(name.c_str());
      entry.remove_attribute("table");
      table.append_copy(entry);
      sysinfo.remove_child(entry);
    }
  }
  for (pugi::xml_node item : domain.child("features").child("hyperv").children("entry")) {
    item.set_name(item.attribute("name").value());
    item.remove_attribute("name");
  }
}

}  // namespace satchel::machine
