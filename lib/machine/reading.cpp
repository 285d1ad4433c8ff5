#include "machine/reading.hpp"

#include <cstring>
#include <filesystem>
#include <pugixml.hpp>

#include "machine/schema.hpp"
#include "machine/sorting.hpp"
#include "machine/xml_visitors.hpp"

namespace satchel::machine {

namespace {

constexpr std::size_t longest_xml = 4 << 20;

/// Where an unknown child element is a part of the machine, not a detail of one.
bool is_vital(const pugi::xml_node& parent) {
  return std::strcmp(parent.name(), "devices") == 0 ||
         std::strcmp(parent.name(), "features") == 0 || std::strcmp(parent.name(), "cpu") == 0;
}

/// Tells of what the schema did not use. An unknown device or platform feature is in the memory
/// image, so it can't be left behind; an unknown detail of a known part can.
void sweep(pugi::xml_node node, const Used& used, Sorted& sorted) {
  for (pugi::xml_attribute attribute : node.attributes()) {
    if (used.contains(attribute.internal_object()) ||
        std::strncmp(attribute.name(), "xmlns", 5) == 0)
      continue;
    sorted.left_behind.push_back(
        {place_of(node) + "/@" + attribute.name(), "is not known to this version: left out"});
  }
  for (pugi::xml_node child : node.children()) {
    if (child.type() != pugi::node_element) continue;
    if (used.contains(child.internal_object())) {
      sweep(child, used, sorted);
      continue;
    }
    const bool vital = is_vital(node);
    (vital ? sorted.refused : sorted.left_behind)
        .push_back({place_of(child), vital ? "is not known to this version and can't be left out"
                                           : "is not known to this version: left out"});
  }
}

/// A drive that the guest, or virsh, has opened counts as empty.
std::vector<std::string> media_in(pugi::xml_node domain) {
  std::vector<std::string> out;
  for (pugi::xml_node disk : domain.child("devices").children("disk")) {
    const pugi::xml_node target = disk.child("target");
    if (std::strcmp(disk.attribute("device").value(), "cdrom") == 0 &&
        disk.child("source").first_attribute() &&
        std::strcmp(target.attribute("tray").value(), "open") != 0)
      out.push_back(target.attribute("dev").value());
  }
  return out;
}

}  // namespace

Result<Reading> read_domain(std::string_view xml, Moment moment) {
  if (xml.size() > longest_xml) return mistake("", "is longer than 4 MiB");
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(xml.data(), xml.size());
  if (!parsed) return mistake("offset " + std::to_string(parsed.offset), parsed.description());
  const pugi::xml_node domain = document.child("domain");
  if (!domain) return mistake("", "is not the XML of a libvirt domain");

  Reading reading;
  Sorted sorted;
  reading.disks = disk_sources(domain, sorted);
  reading.media = media_in(domain);
  const pugi::xml_node os = domain.child("os");
  if (os.child("loader")) reading.loader_path = os.child("loader").child_value();
  if (os.child("nvram")) {
    const pugi::xml_attribute file = os.child("nvram").child("source").attribute("file");
    reading.nvram_path = file ? file.value() : os.child("nvram").child_value();
  }
  take_out(domain, moment, sorted);
  straighten(domain, sorted);

  Used used;
  XmlReader reader(domain, used, sorted.refused);
  fields(reader, reading.machine);
  sweep(domain, used, sorted);
  if (sorted.refused.empty()) sorted.refused = inconsistencies(reading.machine);
  if (!sorted.refused.empty()) return tl::unexpected<Mistakes>(std::move(sorted.refused));
  reading.left_behind = std::move(sorted.left_behind);
  return reading;
}

void measure_firmware(Reading& reading) {
  if (!reading.loader_path) return;
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(*reading.loader_path, error);
  if (!error) reading.machine.boot.firmware.loader_size = size;
}

}  // namespace satchel::machine
