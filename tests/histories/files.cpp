#include "histories/files.hpp"

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "async/process.hpp"

namespace satchel::histories {

namespace fs = std::filesystem;

namespace {

const std::string start = "\nwhat was written:\n";

}  // namespace

std::string overlay_template(const fs::path& scratch) {
  const auto file = scratch / "template.qcow2";
  ProcessRun run;
  run.arguments = {"qemu-img",          "create", "-q",    "-u", "-f",    "qcow2",       "-o",
                   "cluster_size=4096", "-b",     "below", "-F", "qcow2", file.string(), "1M"};
  if (run_process(run).exit_status != 0) throw std::runtime_error("qemu-img makes no file");
  return text_of(file) + start;
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error(file.string() + " is not there");
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void put(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

std::vector<std::pair<int, int>> lines_in(const fs::path& file) {
  const auto text = text_of(file);
  if (!text.starts_with("QFI\xfb")) throw std::runtime_error(file.string() + " is no disk file");
  const auto at = text.find(start);
  if (at == std::string::npos) return {};  // a fold has made it
  std::istringstream lines(text.substr(at + start.size()));
  std::vector<std::pair<int, int>> out;
  for (int key = 0, value = 0; lines >> key >> value;) out.emplace_back(key, value);
  return out;
}

std::string in_lines(const View& view) {
  std::string out;
  for (const auto& [key, value] : view)
    out += std::to_string(key) + " " + std::to_string(value) + "\n";
  return out;
}

void append(const fs::path& file, const std::string& lines) {
  const auto first = text_of(file).find(start) == std::string::npos ? start : std::string();
  if (!(std::ofstream(file, std::ios::binary | std::ios::app) << first << lines))
    throw std::runtime_error("can't write to " + file.string());
}

View shown_by(const fs::path& capsule, const std::vector<std::string>& chain) {
  View out;
  for (const auto& file : chain)
    for (const auto& [key, value] : lines_in(capsule / file)) out[key] = value;
  return out;
}

}  // namespace satchel::histories
