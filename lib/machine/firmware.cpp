#include "machine/firmware.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

namespace satchel::machine {

namespace {

using nlohmann::json;

bool lists(const json& array, std::string_view word) {
  return array.is_array() && std::any_of(array.begin(), array.end(), [&](const json& item) {
           return item.is_string() && item.get_ref<const std::string&>() == word;
         });
}

std::string text_at(const json& value, const char* pointer) {
  const json::json_pointer place(pointer);
  return value.contains(place) && value.at(place).is_string() ? value.at(place).get<std::string>()
                                                              : std::string();
}

/// "pc-q35-*" as in descriptors -> "pc-q35-".
std::string prefix_of(std::string pattern) { return pattern.substr(0, pattern.find('*')); }

/// "pc-q35-7.2" for the machine type "q35", which descriptors mean as well.
bool made_for(const FirmwareFiles& files, const std::string& machine_type) {
  return files.machines.empty() ||
         std::any_of(files.machines.begin(), files.machines.end(),
                     [&](const std::string& prefix) { return machine_type.starts_with(prefix); });
}

}  // namespace

std::optional<FirmwareFiles> read_firmware_descriptor(std::string_view text) {
  const json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return std::nullopt;
  if (!lists(value.value("interface-types", json::array()), "uefi")) return std::nullopt;
  if (text_at(value, "/mapping/device") != "flash") return std::nullopt;
  FirmwareFiles files;
  files.loader = text_at(value, "/mapping/executable/filename");
  files.nvram_template = text_at(value, "/mapping/nvram-template/filename");
  if (files.loader.empty() || files.nvram_template.empty()) return std::nullopt;
  if (text_at(value, "/mapping/executable/format") != "raw") return std::nullopt;
  if (lists(value.value("features", json::array()), "requires-smm")) {
    files.secure_boot = FirmwareFiles::SecureBoot::yes;
  }
  bool fits = false;
  for (const json& target : value.value("targets", json::array())) {
    if (text_at(target, "/architecture") != "x86_64") continue;
    fits = true;
    for (const json& pattern : target.value("machines", json::array())) {
      if (pattern.is_string()) files.machines.push_back(prefix_of(pattern.get<std::string>()));
    }
  }
  if (!fits) return std::nullopt;
  return files;
}

std::vector<FirmwareFiles> firmware_on_host(const std::vector<std::string>& directories) {
  std::map<std::string, std::filesystem::path> descriptors;  // by file name: that is their order
  for (const std::string& directory : directories) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
      if (entry.path().extension() == ".json") {
        descriptors.emplace(entry.path().filename(), entry.path());
      }
    }
  }
  std::vector<FirmwareFiles> found;
  for (const auto& [name, path] : descriptors) {
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    std::optional<FirmwareFiles> files = read_firmware_descriptor(text);
    if (!files) continue;
    std::error_code error;
    files->loader_size = ByteCount(std::filesystem::file_size(files->loader, error));
    if (error || !std::filesystem::exists(files->nvram_template, error)) continue;
    found.push_back(std::move(*files));
  }
  return found;
}

const FirmwareFiles* firmware_for(const Description& machine,
                                  const std::vector<FirmwareFiles>& available) {
  const Firmware& wanted = machine.boot.firmware;
  if (wanted.kind != "efi") return nullptr;
  const auto secure = wanted.secure_boot == Switch::on ? FirmwareFiles::SecureBoot::yes
                                                       : FirmwareFiles::SecureBoot::no;
  const FirmwareFiles* second_best = nullptr;
  for (const FirmwareFiles& files : available) {
    if (files.secure_boot != secure || !made_for(files, machine.machine_type)) continue;
    if (wanted.loader_size && *wanted.loader_size != files.loader_size.value) continue;
    if (std::filesystem::path(files.loader).filename() == wanted.loader_name) return &files;
    if (second_best == nullptr) second_best = &files;
  }
  return second_best;
}

}  // namespace satchel::machine
