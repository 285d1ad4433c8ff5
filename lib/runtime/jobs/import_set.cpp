#include "runtime/jobs/import_set.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/fault.hpp"
#include "machine/reading.hpp"
#include "runtime/jobs/export_names.hpp"
#include "runtime/jobs/import_disks.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace {

constexpr ByteCount largest_xml = mebibytes(4);
constexpr ByteCount largest_nvram = mebibytes(64);
constexpr std::string_view save_magic = "LibvirtQemud";

Fault unfit(const std::string& object, std::string why, std::string next = {}) {
  return Fault(Remedy::fix_request, Fault::Text{"import", object, std::move(why), std::move(next)});
}

SaveImage open_saved(const disk::GivenDirectory& from, const std::string& name) {
  auto file = from.open(name);
  if (!file) throw unfit(from.shown(name), "it is missing");
  return open_save_image(std::move(*file), "import", from.shown(name));
}

bool is_save_image(const disk::GivenDirectory& from, const std::string& name) {
  struct stat about {};
  if (::fstatat(from.fd(), name.c_str(), &about, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISREG(about.st_mode))
    return false;
  const auto file = from.open(name);
  return file && read_at(file->get(), 0, save_magic.size(), from.shown(name)) == save_magic;
}

/// The file of our name, else the only one that fits.
template <class Fits>
std::optional<std::string> find_one(const disk::GivenDirectory& from, const std::string& usual,
                                    const std::string& kind, const Fits& fits) {
  const auto names = from.names();
  if (std::binary_search(names.begin(), names.end(), usual)) return usual;
  std::vector<std::string> found;
  std::copy_if(names.begin(), names.end(), std::back_inserter(found), fits);
  if (found.empty()) return std::nullopt;
  if (found.size() > 1)
    throw unfit(from.shown(),
                "it holds more than one " + kind + ": " + found[0] + " and " + found[1],
                "Leave the one that is meant there, or name it " + usual + ".");
  return found.front();
}

machine::Reading read_machine(const disk::GivenDirectory& from, const std::string& name,
                              const std::string& xml, machine::Moment moment) {
  auto reading = machine::read_domain(xml, moment);
  if (!reading)
    throw unfit(from.shown(name), to_string(reading.error()),
                "Remove these from the machine's description and import again.");
  return std::move(*reading);
}

/// The size of the firmware's image, where this host has the very file: what the XML names is not
/// looked at.
void note_firmware(machine::Reading& reading, const std::vector<machine::FirmwareFiles>& firmware) {
  for (const auto& files : firmware)
    if (reading.loader_path == files.loader)
      reading.machine.boot.firmware.loader_size = files.loader_size.value;
}

}  // namespace

ImportSet read_import_set(const disk::GivenDirectory& from, ImportMemory memory,
                          const std::vector<machine::FirmwareFiles>& firmware) {
  const auto xml_name = find_one(from, exported::domain_xml, "domain XML",
                                 [](const std::string& name) { return name.ends_with(".xml"); });
  std::optional<std::string> save_name;
  if (memory == ImportMemory::with)
    save_name = find_one(from, exported::save_image, "save image",
                         [&](const std::string& name) { return is_save_image(from, name); });
  if (!xml_name && !save_name)
    throw unfit(from.shown(), "it holds neither domain XML nor a save image",
                "Put what 'virsh dumpxml' prints there as domain.xml, beside the disks.");

  std::optional<machine::Reading> reading;
  if (xml_name)
    reading = read_machine(from, *xml_name, from.read(*xml_name, largest_xml),
                           save_name ? machine::Moment::running : machine::Moment::shut_off);
  ImportSet out;
  if (save_name) {
    auto image = open_saved(from, *save_name);
    auto saved = read_machine(from, *save_name, image.xml, machine::Moment::running);
    if (reading && reading->machine.id != saved.machine.id)
      throw unfit(from.shown(*save_name), "it is not the memory of the machine in " + *xml_name,
                  "Leave one of the two out (--no-memory imports the disks alone).");
    // What is in the memory was there when it was saved: its description is the one that counts.
    // The files are where the domain XML says: it is the one that people edit.
    if (reading && !reading->disks.empty()) saved.disks = reading->disks;
    if (reading && reading->nvram_path) saved.nvram_path = reading->nvram_path;
    reading = std::move(saved);
    out.memory = std::move(image.memory);
  }
  note_firmware(*reading, firmware);
  const auto& machine = reading->machine;
  if (!machine.devices.tpms.empty()) throw no_tpm_yet("import", machine.name);
  if (reading->disks.empty()) throw unfit(machine.name, "it has no disk that could travel");
  for (const auto& disk : reading->disks) out.disks.push_back(open_imported_disk(from, disk));
  if (machine.boot.firmware.kind == "efi") {
    const auto nvram = reading->nvram_path ? find_in_set(from, *reading->nvram_path) : std::nullopt;
    if (!nvram)
      throw unfit(machine.name, "its firmware's variables are not in " + from.shown(),
                  "Put them there under the name that the domain XML has in <nvram>.");
    out.nvram = from.read(*nvram, largest_nvram);
  }
  for (const auto& each : reading->left_behind)
    out.left_behind.push_back(each.where + ": " + each.what);
  out.machine = std::move(reading->machine);
  return out;
}

}  // namespace satchel
