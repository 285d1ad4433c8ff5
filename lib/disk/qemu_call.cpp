#include "disk/qemu_call.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "disk/qemu_words.hpp"

namespace satchel::disk {

namespace {

using nlohmann::json;

/// QEMU's node for one file; its own header has no say in what is below.
json node(const SourceFile& file) {
  struct stat found {};
  const bool device = ::stat(file.path.c_str(), &found) == 0 && S_ISBLK(found.st_mode);
  json out{
      {"driver", file.format},
      {"file", {{"driver", device ? "host_device" : "file"}, {"filename", absolute(file.path)}}}};
  if (file.format == "qcow2" || file.format == "vmdk") out["backing"] = nullptr;
  return out;
}

/// What is left of its words in one line.
std::string words_of(const ProcessEnd& end) {
  std::string out;
  for (const char c : end.errors) out += c == '\n' ? ' ' : c;
  while (out.ends_with(' ')) out.pop_back();
  if (out.starts_with("qemu-img: ")) out.erase(0, 10);
  return out.empty() ? "qemu-img ended with status " + std::to_string(end.exit_status) : out;
}

}  // namespace

Fault failed(const Deed& deed, std::string why, Remedy remedy) {
  return Fault(remedy, {deed.doing, deed.object, std::move(why), {}});
}

Fault of_either_disk(const Fault& fault) {
  if (fault.remedy() != Remedy::replug) return fault;
  auto text = fault.text();
  text.next =
      "Plug the device in again and retry, unless it is a disk of this computer that fails: "
      "'journalctl -k' tells.";
  return Fault(Remedy::replug, std::move(text));
}

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).string(); }

std::string file_name(const std::vector<SourceFile>& chain, const Deed& deed) {
  if (chain.empty()) throw failed(deed, "its chain is empty", Remedy::report_bug);
  json out;
  for (auto file = chain.rbegin(); file != chain.rend(); ++file) {
    auto next = node(*file);
    if (file != chain.rbegin()) {
      if (file->format != "qcow2")
        throw failed(deed, file->path + " is " + file->format + " and can't have a file below it");
      next["backing"] = std::move(out);
    }
    out = std::move(next);
  }
  try {
    return "json:" + out.dump();
  } catch (const json::type_error&) {
    throw failed(deed, "a path of its chain is not valid UTF-8");
  }
}

void demand_success(const ProcessEnd& end, const Deed& deed) {
  if (end.stopped) throw failed(deed, "it was stopped", Remedy::retry);
  if (end.exit_status == 0) return;
  auto words = words_of(end);
  const auto remedy = remedy_of(words);
  throw of_either_disk(failed(deed, std::move(words), remedy));
}

}  // namespace satchel::disk
