#include "fakes/fake_volumes.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace satchel::fakes {

void FakeVolumes::begin(const std::string& call) {
  const auto failure = failures_.find(call);
  if (failure == failures_.end()) return;
  const Fault fault = failure->second;
  failures_.erase(failure);
  throw fault;
}

FakeVolumes::Entry& FakeVolumes::plugged(const std::string& doing, const std::string& node) {
  const auto found = volumes_.find(node);
  if (found == volumes_.end())
    throw Fault(Remedy::replug, Fault::Text{doing, node, "no such device", {}});
  return found->second;
}

std::filesystem::path FakeVolumes::content(const std::string& node) const {
  std::string name = node.substr(1);
  std::replace(name.begin(), name.end(), '/', '-');
  return root_ / name;
}

void FakeVolumes::add(Volume volume, Power power) {
  std::filesystem::create_directories(content(volume.node));
  const std::string node = volume.node;
  volumes_[node] = Entry{std::move(volume), power, 0};
}

void FakeVolumes::pull(const std::string& node) { volumes_.erase(node); }

bool FakeVolumes::ask_removal(const std::string& node, std::string operation) {
  if (on_request_) on_request_(RemovalRequest{node, std::move(operation)});
  auto& entry = volumes_.at(node);
  if (entry.open_files > 0) return false;
  entry.volume.mount_points.clear();
  return true;
}

void FakeVolumes::listen(std::function<void(RemovalRequest)> on_request) {
  on_request_ = std::move(on_request);
}

Task<std::optional<Volume>> FakeVolumes::find(std::string node) {
  begin("find");
  const auto found = volumes_.find(node);
  if (found == volumes_.end()) co_return std::nullopt;
  co_return found->second.volume;
}

Task<std::vector<Volume>> FakeVolumes::all() {
  std::vector<Volume> out;
  for (const auto& [node, entry] : volumes_) out.push_back(entry.volume);
  co_return out;
}

Task<std::string> FakeVolumes::mount(std::string node) {
  begin("mount");
  auto& volume = plugged("mount", node).volume;
  if (volume.fs_type.empty())
    throw Fault(Remedy::other_device, Fault::Text{"mount", node, "no filesystem", {}});
  if (volume.mount_points.empty()) {
    done_.push_back("mount " + node);
    volume.mount_points.push_back(content(node).string());
  }
  co_return volume.mount_points.front();
}

Task<void> FakeVolumes::unmount(std::string node) {
  begin("unmount");
  const auto found = volumes_.find(node);
  if (found == volumes_.end() || found->second.volume.mount_points.empty()) co_return;
  if (found->second.open_files > 0)
    throw Fault(Remedy::retry, Fault::Text{"unmount", node, "target is busy", {}});
  done_.push_back("unmount " + node);
  found->second.volume.mount_points.clear();
}

Task<bool> FakeVolumes::power_off(std::string node) {
  begin("power_off");
  const auto found = volumes_.find(node);
  if (found == volumes_.end() || found->second.power == Power::cannot) co_return false;
  done_.push_back("power_off " + node);
  volumes_.erase(found);
  co_return true;
}

Task<UniqueFd> FakeVolumes::open(std::string node) {
  begin("open");
  const auto& volume = plugged("open", node).volume;
  if (!volume.mount_points.empty())
    throw Fault(Remedy::retry, Fault::Text{"open", node, "it is in use", {}});
  UniqueFd medium(::memfd_create("medium", MFD_CLOEXEC));
  if (!medium || ::ftruncate(medium.get(), static_cast<off_t>(volume.size.value)) != 0)
    throw fault_from_errno(errno, "open", node);
  co_return medium;
}

Task<void> FakeVolumes::format(std::string node, std::string fs_type, std::string label) {
  begin("format");
  auto& volume = plugged("format", node).volume;
  if (!volume.mount_points.empty())
    throw Fault(Remedy::retry, Fault::Text{"format", node, "it is in use", {}});
  if (volume.read_only)
    throw Fault(Remedy::other_device, Fault::Text{"format", node, "it is read-only", {}});
  std::filesystem::remove_all(content(node));
  std::filesystem::create_directories(content(node));
  done_.push_back("format " + node);
  volume.fs_type = std::move(fs_type);
  volume.label = std::move(label);
  volume.fs_uuid = Uuid::random().str();
  co_return;
}

}  // namespace satchel::fakes
