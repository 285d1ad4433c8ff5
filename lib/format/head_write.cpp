#include <nlohmann/json.hpp>

#include "base/fault.hpp"
#include "format/head.hpp"
#include "format/head_fields.hpp"
#include "format/strict_json.hpp"

namespace satchel::format {
namespace {

using Json = nlohmann::json;

Json json_of(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

Json json_of(const Generation& it) {
  return Json{
      {"host", it.host.value.str()}, {"host_name", it.host_name},
      {"id", it.id.value.str()},     {"parent", it.parent ? Json(it.parent->value.str()) : Json()},
      {"seq", it.seq.value},         {"time", it.time.value}};
}

Json json_of(const CheckedOut& it) {
  return Json{{"host", it.host.value.str()},
              {"host_name", it.host_name},
              {"session", it.session.value.str()},
              {"since", it.since.value}};
}

Json json_of(const Hibernation& it) {
  Json out{{"accelerator", it.accelerator},
           {"codec", it.codec},
           {"emulator", it.emulator},
           {"map", it.map},
           {"pages", it.pages},
           {"stream_size", it.stream_size.value},
           {"was_paused", it.was_paused}};
  if (it.segments) out["segments"] = *it.segments;
  return out;
}

Json json_of(const Disk& it) {
  return Json{{"chain", it.chain}, {"target", it.target}, {"virtual_size", it.virtual_size.value}};
}

Json json_of(const Object& it) {
  return Json{{"digest", it.digest.hex()}, {"path", it.path}, {"size", it.size.value}};
}

Json json_of(const Past& it) {
  return Json{{"generation", json_of(it.generation)}, {"what", it.what}};
}

template <class T>
Json list_of(const std::vector<T>& items) {
  Json out = Json::array();
  for (const auto& each : items) out.push_back(json_of(each));
  return out;
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? json_of(*value) : Json();
}

Fault refused(std::string why) {
  return Fault(Remedy::report_bug, {"write", "a generation's head", std::move(why), {}});
}

}  // namespace

std::string write_head(const Head& head, const HostKey& key) {
  if (const auto mistakes = check(head); !mistakes.empty()) throw refused(to_string(mistakes));
  if (head.generation.host != key.public_key().host_id())
    throw refused("the generation's host is not the one that signs it");
  Json json;
  json["capsule"] = head.capsule.value.str();
  json["checked_out"] = or_null(head.checked_out);
  json["disks"] = list_of(head.disks);
  json["epoch"] = head.epoch;
  json["format"] = head_kind;
  json["generation"] = json_of(head.generation);
  json["hibernation"] = or_null(head.hibernation);
  json["history"] = list_of(head.history);
  json["machine"] = *parse_strictly(head.machine_json, largest_head);
  json["name"] = head.name;
  json["nvram"] = json_of(head.nvram);
  json["objects"] = list_of(head.objects);
  json["signer"] = key.public_key().hex();
  const bool has_segments = head.hibernation && head.hibernation->segments;
  json["version"] = has_segments ? head_version_segments : format_version;
  const std::string message = signed_bytes(canonical(json));
  json["signature"] = key.sign(std::as_bytes(std::span(message))).hex();
  std::string out = canonical(json);
  // The reader's limits hold for the whole, of which the machine is only a part.
  if (const auto readable = parse_strictly(out, largest_head); !readable)
    throw refused(to_string(readable.error()));
  return out;
}

}  // namespace satchel::format
