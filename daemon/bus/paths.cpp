#include "daemon/bus/paths.hpp"

#include <algorithm>
#include <charconv>

namespace satchel::faces {

namespace {

std::string below(const char* kind, const std::string& name) {
  return std::string(root_path) + "/" + kind + "/" + name;
}

}  // namespace

std::string path_of(DeviceNumber device) { return below("device", std::to_string(device.value)); }

std::string path_of(JobId job) { return below("job", std::to_string(job.value)); }

std::string path_of(CapsuleId capsule) {
  auto name = capsule.value.str();
  std::replace(name.begin(), name.end(), '-', '_');
  return below("capsule", name);
}

std::optional<DeviceNumber> parse_device(const ObjectPath& path) {
  const auto prefix = below("device", "");
  if (!path.value.starts_with(prefix)) return std::nullopt;
  DeviceNumber number;
  const char* end = path.value.data() + path.value.size();
  const auto [stopped, error] =
      std::from_chars(path.value.data() + prefix.size(), end, number.value);
  if (error != std::errc() || stopped != end || path_of(number) != path.value) return std::nullopt;
  return number;
}

std::optional<CapsuleId> parse_capsule(const ObjectPath& path) {
  const auto prefix = below("capsule", "");
  if (!path.value.starts_with(prefix)) return std::nullopt;
  auto name = path.value.substr(prefix.size());
  std::replace(name.begin(), name.end(), '_', '-');
  const auto id = Uuid::parse(name);
  if (!id || path_of(CapsuleId(*id)) != path.value) return std::nullopt;
  return CapsuleId(*id);
}

SyncLine as_bus(const SyncView& synced) {
  return {synced.time.value, synced.generation.value, synced.message};
}

std::vector<HistoryLine> as_bus(const std::vector<GenerationView>& history) {
  std::vector<HistoryLine> out;
  for (const auto& each : history)
    out.emplace_back(as_bus(each.seq), as_bus(each.id), each.host_name, as_bus(each.time),
                     each.what, each.restorable);
  return out;
}

}  // namespace satchel::faces
