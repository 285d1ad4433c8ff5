#include "overview.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace satchel::cli {

namespace {

template <class T>
T value(const Dictionary& properties, const std::string& name) {
  return find<T>(properties, name).value_or(T());
}

std::string text(const Dictionary& properties, const std::string& name) {
  return value<std::string>(properties, name);
}

ByteCount bytes(const Dictionary& properties, const std::string& name) {
  return ByteCount(value<std::uint64_t>(properties, name));
}

/// The last part of an object's path, when it is one of this kind.
std::optional<std::string> name_in(const std::string& path, std::string_view kind) {
  const auto prefix = std::string(root_path) + "/" + std::string(kind) + "/";
  if (!path.starts_with(prefix)) return std::nullopt;
  return path.substr(prefix.size());
}

template <class Id>
std::optional<Id> numbered(const std::string& path, std::string_view kind) {
  const auto name = name_in(path, kind);
  Id id;
  if (!name) return std::nullopt;
  const auto read = std::from_chars(name->data(), name->data() + name->size(), id.value);
  if (read.ec != std::errc()) return std::nullopt;
  return id;
}

std::optional<CapsuleId> capsule_at(const std::string& path) {
  auto name = name_in(path, "capsule");
  if (!name) return std::nullopt;
  std::replace(name->begin(), name->end(), '_', '-');
  const auto uuid = Uuid::parse(*name);
  if (!uuid) return std::nullopt;
  return CapsuleId(*uuid);
}

std::string path_property(const Dictionary& properties, const std::string& name) {
  return value<ObjectPath>(properties, name).value;
}

DeviceView read_device(DeviceNumber number, const Dictionary& from) {
  DeviceView device;
  device.number = number;
  device.node = text(from, "Node");
  device.label = text(from, "Label");
  device.fs_type = text(from, "FsType");
  device.fs_uuid = text(from, "FsUuid");
  device.model = text(from, "Model");
  device.mount_point = text(from, "MountPoint");
  device.size = bytes(from, "Size");
  device.free = bytes(from, "Free");
  device.encrypted = value<bool>(from, "Encrypted");
  device.removable = value<bool>(from, "Removable");
  device.read_only = value<bool>(from, "ReadOnly");
  device.can_unplug = value<bool>(from, "CanUnplug");
  device.detail = text(from, "Detail");
  device.write_speed = value<std::uint64_t>(from, "WriteSpeed");
  device.read_speed = value<std::uint64_t>(from, "ReadSpeed");
  return device;
}

GenerationView read_generation(const Structure& line) {
  GenerationView generation;
  if (line.fields.size() != 6) return generation;
  generation.seq = Sequence(line.fields[0].as<std::uint64_t>().value_or(0));
  if (const auto id = Uuid::parse(line.fields[1].as<std::string>().value_or("")))
    generation.id = GenerationId(*id);
  generation.host_name = line.fields[2].as<std::string>().value_or("");
  generation.time = UnixMicros(line.fields[3].as<std::uint64_t>().value_or(0));
  generation.what = line.fields[4].as<std::string>().value_or("");
  generation.restorable = line.fields[5].as<bool>().value_or(false);
  return generation;
}

CapsuleView read_capsule(CapsuleId id, const Dictionary& from) {
  CapsuleView capsule;
  capsule.id = id;
  capsule.name = text(from, "Name");
  capsule.state = text(from, "State");
  capsule.detail = text(from, "Detail");
  capsule.next_step = text(from, "NextStep");
  capsule.can_unplug = value<bool>(from, "CanUnplug");
  capsule.device = numbered<DeviceNumber>(path_property(from, "Device"), "device");
  capsule.job = numbered<JobId>(path_property(from, "Job"), "job");
  capsule.domain = text(from, "Domain");
  capsule.generation = Sequence(value<std::uint64_t>(from, "Generation"));
  if (const auto uuid = Uuid::parse(text(from, "GenerationId")))
    capsule.generation_id = GenerationId(*uuid);
  capsule.last_host = text(from, "LastHost");
  capsule.last_time = UnixMicros(value<std::uint64_t>(from, "LastTime"));
  capsule.checked_out_by = text(from, "CheckedOutBy");
  capsule.has_memory = value<bool>(from, "HasMemory");
  capsule.memory_size = bytes(from, "MemorySize");
  capsule.hibernation_size = bytes(from, "HibernationSize");
  capsule.image_size = bytes(from, "ImageSize");
  capsule.cow_size = bytes(from, "CowSize");
  capsule.layers_size = bytes(from, "LayersSize");
  capsule.layers = value<std::uint32_t>(from, "Layers");
  capsule.cow_limit = bytes(from, "CowLimit");
  capsule.due = value<std::vector<std::string>>(from, "Due");
  if (const auto synced = value<Structure>(from, "LastSync"); synced.fields.size() == 3)
    capsule.last_sync = {UnixMicros(synced.fields[0].as<std::uint64_t>().value_or(0)),
                         Sequence(synced.fields[1].as<std::uint64_t>().value_or(0)),
                         synced.fields[2].as<std::string>().value_or("")};
  for (const auto& line : value<std::vector<Structure>>(from, "History"))
    capsule.history.push_back(read_generation(line));
  return capsule;
}

}  // namespace

std::string path_of(DeviceNumber device) {
  return std::string(root_path) + "/device/" + std::to_string(device.value);
}

std::string path_of(CapsuleId capsule) {
  auto name = capsule.value.str();
  std::replace(name.begin(), name.end(), '-', '_');
  return std::string(root_path) + "/capsule/" + name;
}

JobView read_job(const std::string& path, const Dictionary& from) {
  JobView job;
  job.id = numbered<JobId>(path, "job").value_or(JobId());
  job.operation = text(from, "Operation");
  job.step = text(from, "Step");
  job.capsule = capsule_at(path_property(from, "Capsule"));
  job.device = numbered<DeviceNumber>(path_property(from, "Device"), "device");
  job.done = bytes(from, "Bytes");
  job.total = bytes(from, "BytesTotal");
  job.rate = value<std::uint64_t>(from, "Rate");
  job.remaining_us = value<std::uint64_t>(from, "Remaining");
  job.progress = value<double>(from, "Progress");
  return job;
}

HostView read_overview(const ManagedObjects& objects, const Dictionary& manager) {
  HostView host;
  host.version = text(manager, "Version");
  host.host_id = text(manager, "HostId");
  host.host_name = text(manager, "HostName");
  host.fingerprint = text(manager, "HostFingerprint");
  host.hypervisor = text(manager, "Hypervisor");
  host.detail = text(manager, "Detail");
  host.sessions = value<std::uint32_t>(manager, "Sessions");
  host.jobs = value<std::uint32_t>(manager, "ActiveJobs");
  for (const auto& [path, interfaces] : objects) {
    for (const auto& [interface, properties] : interfaces) {
      if (interface == device_interface) {
        if (const auto number = numbered<DeviceNumber>(path.value, "device"))
          host.devices.push_back(read_device(*number, properties));
      } else if (interface == capsule_interface) {
        if (const auto id = capsule_at(path.value))
          host.capsules.push_back(read_capsule(*id, properties));
      } else if (interface == job_interface) {
        host.running_jobs.push_back(read_job(path.value, properties));
      }
    }
  }
  std::sort(host.devices.begin(), host.devices.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  std::sort(host.capsules.begin(), host.capsules.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name, a.id) < std::tie(b.name, b.id);
  });
  return host;
}

const DeviceView* device_of(const HostView& host, std::optional<DeviceNumber> number) {
  for (const auto& device : host.devices)
    if (number && device.number == *number) return &device;
  return nullptr;
}

}  // namespace satchel::cli
