#include "json.hpp"

#include <nlohmann/json.hpp>

#include "overview.hpp"

namespace satchel::cli {

namespace {

using Json = nlohmann::ordered_json;

/// Foreign names may be no UTF-8: they are replaced, not refused.
std::string line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string uuid_or_empty(const Uuid& uuid) { return uuid.is_nil() ? std::string() : uuid.str(); }

Json json(const DeviceView& device) {
  return Json{{"number", device.number.value},
              {"path", path_of(device.number)},
              {"node", device.node},
              {"label", device.label},
              {"fs_type", device.fs_type},
              {"fs_uuid", device.fs_uuid},
              {"model", device.model},
              {"mount_point", device.mount_point},
              {"size", device.size.value},
              {"free", device.free.value},
              {"encrypted", device.encrypted},
              {"removable", device.removable},
              {"read_only", device.read_only},
              {"can_unplug", device.can_unplug},
              {"detail", device.detail},
              {"read_speed", device.read_speed},
              {"write_speed", device.write_speed}};
}

Json history(const CapsuleView& capsule) {
  auto out = Json::array();
  for (const auto& generation : capsule.history)
    out.push_back(Json{{"generation", generation.seq.value},
                       {"id", uuid_or_empty(generation.id.value)},
                       {"host", generation.host_name},
                       {"time", generation.time.value},
                       {"what", generation.what},
                       {"restorable", generation.restorable}});
  return out;
}

Json json(const HostView& host, const CapsuleView& capsule) {
  auto out = Json{{"id", capsule.id.value.str()},
                  {"path", path_of(capsule.id)},
                  {"name", capsule.name},
                  {"state", capsule.state},
                  {"detail", capsule.detail},
                  {"next_step", capsule.next_step},
                  {"can_unplug", capsule.can_unplug},
                  {"device", nullptr},
                  {"job", nullptr},
                  {"domain", capsule.domain},
                  {"generation", capsule.generation.value},
                  {"generation_id", uuid_or_empty(capsule.generation_id.value)},
                  {"last_host", capsule.last_host},
                  {"last_time", capsule.last_time.value},
                  {"checked_out_by", capsule.checked_out_by},
                  {"has_memory", capsule.has_memory},
                  {"memory_size", capsule.memory_size.value},
                  {"hibernation_size", capsule.hibernation_size.value},
                  {"image_size", capsule.image_size.value},
                  {"cow_size", capsule.cow_size.value},
                  {"layers_size", capsule.layers_size.value},
                  {"layers", capsule.layers},
                  {"cow_limit", capsule.cow_limit.value},
                  {"due", capsule.due},
                  {"last_sync",
                   {{"time", capsule.last_sync.time.value},
                    {"generation", capsule.last_sync.generation.value},
                    {"message", capsule.last_sync.message}}},
                  {"history", Json::array()}};
  if (const auto* device = device_of(host, capsule.device)) out["device"] = device->node;
  if (capsule.job) out["job"] = capsule.job->value;
  out["history"] = history(capsule);
  return out;
}

Json json(const HostView& host, const JobView& job) {
  auto out = Json{{"id", job.id.value},      {"operation", job.operation},
                  {"step", job.step},        {"capsule", nullptr},
                  {"device", nullptr},       {"progress", job.progress},
                  {"bytes", job.done.value}, {"bytes_total", job.total.value},
                  {"rate", job.rate},        {"remaining", job.remaining_us}};
  if (job.capsule) out["capsule"] = job.capsule->value.str();
  if (const auto* device = device_of(host, job.device)) out["device"] = device->node;
  return out;
}

Json capsules(const HostView& host) {
  auto out = Json::array();
  for (const auto& capsule : host.capsules) out.push_back(json(host, capsule));
  return out;
}

Json devices(const HostView& host) {
  auto out = Json::array();
  for (const auto& device : host.devices) out.push_back(json(device));
  return out;
}

Json jobs(const HostView& host) {
  auto out = Json::array();
  for (const auto& job : host.running_jobs) out.push_back(json(host, job));
  return out;
}

const char* word(Finding::Verdict verdict) {
  switch (verdict) {
    case Finding::Verdict::good:
      return "good";
    case Finding::Verdict::warning:
      return "warning";
    case Finding::Verdict::bad:
      return "bad";
    case Finding::Verdict::unknown:
      return "unknown";
  }
  return "unknown";
}

}  // namespace

std::string json_of(const HostView& host) {
  return line(Json{{"version", host.version},
                   {"host", Json{{"id", host.host_id},
                                 {"name", host.host_name},
                                 {"fingerprint", host.fingerprint},
                                 {"hypervisor", host.hypervisor},
                                 {"detail", host.detail},
                                 {"sessions", host.sessions}}},
                   {"devices", devices(host)},
                   {"capsules", capsules(host)},
                   {"jobs", jobs(host)}});
}

std::string json_of(const HostView& host, const CapsuleView& capsule) {
  return line(json(host, capsule));
}

std::string json_of_history(const CapsuleView& capsule) { return line(history(capsule)); }

std::string json_of(const DeviceView& device) { return line(json(device)); }

std::string json_of_list(const HostView& host, const std::string& kind) {
  if (kind == "devices") return line(devices(host));
  if (kind == "jobs") return line(jobs(host));
  return line(capsules(host));
}

std::string json_of(const std::vector<Finding>& findings) {
  auto out = Json::array();
  for (const auto& finding : findings)
    out.push_back(Json{{"check", finding.check},
                       {"verdict", word(finding.verdict)},
                       {"found", finding.found},
                       {"remedy", finding.remedy}});
  return line(out);
}

std::string json_of(const std::vector<JobEnd>& ends, bool can_unplug) {
  auto jobs = Json::array();
  for (const auto& end : ends)
    jobs.push_back(Json{{"job", end.id.value}, {"result", end.result}, {"message", end.message}});
  return line(Json{{"jobs", jobs}, {"can_unplug", can_unplug}});
}

std::string json_of_systems(const std::vector<osinfo::Systems::Entry>& systems) {
  auto out = Json::array();
  for (const auto& [id, name] : systems) out.push_back(Json{{"id", id}, {"name", name}});
  return line(out);
}

std::string json_of(const Refusal& refusal) {
  return line(Json{{"error", refusal.reason()},
                   {"next_step", refusal.next()},
                   {"exit_status", static_cast<int>(refusal.code())}});
}

std::string json_of_event(const std::string& kind, const std::string& object,
                          const std::string& what) {
  return line(Json{{"kind", kind}, {"object", object}, {"what", what}});
}

}  // namespace satchel::cli
