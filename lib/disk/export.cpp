#include "disk/export.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "async/process.hpp"
#include "base/fault.hpp"
#include "disk/qemu_words.hpp"

namespace satchel::disk {

namespace {

using nlohmann::json;

constexpr int first_descriptor = 3;

/// The whole graph in words: no header has a say in what is below it, and nothing is probed.
json graph(const ShownChain& chain, int descriptor) {
  json below = nullptr;
  for (std::size_t i = 0; i < chain.files.size(); ++i) {
    // Not locked: a guest that runs on the same files has its own locks, and this only reads.
    json file{{"driver", "file"},
              {"filename", "/proc/self/fd/" + std::to_string(descriptor++)},
              {"read-only", true},
              {"locking", "off"}};
    below = json{{"driver", "qcow2"},
                 {"read-only", true},
                 {"file", std::move(file)},
                 {"backing", std::move(below)}};
  }
  return below;
}

}  // namespace

std::vector<std::string> export_arguments(const Export& order) {
  std::vector<std::string> out{"qemu-storage-daemon"};
  int descriptor = first_descriptor;
  std::vector<std::string> exports;
  for (const auto& chain : order.chains) {
    const auto node = "disk" + std::to_string(exports.size() / 2);
    auto top = graph(chain, descriptor);
    top["node-name"] = node;
    out.insert(out.end(), {"--blockdev", top.dump()});
    exports.insert(exports.end(), {"--export", json{{"type", "nbd"},
                                                    {"id", "show-" + node},
                                                    {"node-name", node},
                                                    {"name", chain.name},
                                                    {"writable", false}}
                                                   .dump()});
    descriptor += static_cast<int>(chain.files.size());
  }
  out.insert(out.end(),
             {"--nbd-server",
              json{{"addr", {{"type", "fd"}, {"str", std::to_string(descriptor)}}}}.dump()});
  out.insert(out.end(), exports.begin(), exports.end());
  return out;
}

void serve(const Export& order) {
  ProcessRun run;
  run.arguments = export_arguments(order);
  for (const auto& chain : order.chains)
    run.descriptors.insert(run.descriptors.end(), chain.files.begin(), chain.files.end());
  run.descriptors.push_back(order.listening);
  run.stop = order.stop;
  const auto end = run_process(run);
  if (end.stopped) return;
  std::string why;
  for (const char c : end.errors) why += c == '\n' ? ' ' : c;
  while (why.ends_with(' ')) why.pop_back();
  if (why.empty()) why = "it ended with status " + std::to_string(end.exit_status);
  // Where its words point to nothing it was ended, and may be started again.
  const auto remedy = remedy_of(why);
  throw Fault(
      remedy == Remedy::fix_request ? Remedy::retry : remedy,
      Fault::Text{"show the machine's disks by", "qemu-storage-daemon", std::move(why), {}});
}

}  // namespace satchel::disk
