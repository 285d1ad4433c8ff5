// Sorts a domain's XML before the schema reads it: names what can't travel, takes out what names
// this host, and turns the few structures that the schema can't follow into ones that it can.
// Internal to lib/machine.
#pragma once

#include <pugixml.hpp>

#include "machine/reading.hpp"

namespace satchel::machine {

/// "domain/devices/disk[2]": where a node stands, for a sentence.
std::string place_of(const pugi::xml_node& node);

struct Sorted {
  Mistakes refused;
  Mistakes left_behind;
};

/// Removes from the tree all that must not or need not travel.
void take_out(pugi::xml_node domain, Moment moment, Sorted& sorted);

/// Puts what is left into the schema's form.
void straighten(pugi::xml_node domain, Sorted& sorted);

/// The opposite of what `straighten` did to SMBIOS entries and Hyper-V enlightenments.
void unfold(pugi::xml_node domain);

/// The disks' files on this host; call before take_out.
std::vector<DiskSource> disk_sources(pugi::xml_node domain, Sorted& sorted);

}  // namespace satchel::machine
