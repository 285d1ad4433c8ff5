#include "runtime/seen_generation.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

#include "base/host_fault.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace fs = std::filesystem;

namespace {

using nlohmann::json;
using Line = std::pair<Sequence, GenerationId>;

fs::path directory(const fs::path& state) { return state / "seen"; }

fs::path record(const fs::path& state, CapsuleId capsule) {
  return directory(state) / (capsule.value.str() + ".json");
}

std::optional<Line> line_in(const json& from) {
  const auto id = Uuid::parse(from.at("id").get<std::string>());
  if (!id) return std::nullopt;
  return Line(Sequence(from.at("seq").get<std::uint64_t>()), GenerationId(*id));
}

json written(Sequence seq, GenerationId id) {
  return json{{"seq", seq.value}, {"id", id.value.str()}};
}

const Line* line_of(const std::vector<Line>& past, Sequence seq) {
  const auto found =
      std::find_if(past.begin(), past.end(), [&](const Line& line) { return line.first == seq; });
  return found == past.end() ? nullptr : &*found;
}

/// Whether the two pasts name different generations of one number.
bool differ(const std::vector<Line>& one, const std::vector<Line>& other) {
  return std::any_of(one.begin(), one.end(), [&](const Line& line) {
    const auto* same = line_of(other, line.first);
    return same != nullptr && same->second != line.second;
  });
}

}  // namespace

SeenGeneration seen_in(const format::Head& head) {
  const auto& newest = head.generation;
  SeenGeneration out{newest.seq, newest.id, newest.host_name, newest.time, {}};
  for (const auto& past : head.history)
    out.past.emplace_back(past.generation.seq, past.generation.id);
  return out;
}

std::optional<core::Lacking> lacking(const SeenGeneration& seen, const format::Head& newest) {
  const auto device = seen_in(newest);
  const auto* same = line_of(device.past, seen.seq);
  if (device.id == seen.id || (same != nullptr && same->second == seen.id)) return std::nullopt;
  core::Lacking out{core::Lacking::How::another_branch, seen.seq, seen.host_name, seen.time};
  if (differ(device.past, seen.past)) return out;
  // Without a line that tells them apart only a lower number is certain.
  if (device.seq >= seen.seq) return std::nullopt;
  out.how = core::Lacking::How::older_copy;
  return out;
}

SeenGeneration seen_after(const std::optional<SeenGeneration>& before, const format::Head& newest,
                          Noting how) {
  if (how == Noting::if_newer && before && lacking(*before, newest)) return *before;
  return seen_in(newest);
}

std::optional<SeenGeneration> load_seen(const fs::path& state_directory, CapsuleId capsule) {
  std::ifstream stream(record(state_directory, capsule), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  try {
    const auto from = json::parse(text);
    SeenGeneration out;
    const auto newest = line_in(from);
    if (!newest) return std::nullopt;
    std::tie(out.seq, out.id) = *newest;
    out.host_name = from.at("host_name").get<std::string>();
    out.time = UnixMicros(from.at("time").get<std::uint64_t>());
    for (const auto& each : from.at("past"))
      if (const auto line = line_in(each)) out.past.push_back(*line);
    return out;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

void store_seen(const fs::path& state_directory, CapsuleId capsule, const SeenGeneration& seen) {
  const auto place = directory(state_directory);
  if (::mkdir(place.c_str(), 0700) != 0 && errno != EEXIST)
    throw host_fault_from_errno(errno, "make", place.string());
  auto text = written(seen.seq, seen.id);
  text["host_name"] = seen.host_name;
  text["time"] = seen.time.value;
  text["past"] = json::array();
  for (const auto& [seq, id] : seen.past) text["past"].push_back(written(seq, id));
  replace_private_file(record(state_directory, capsule), text.dump());
}

}  // namespace satchel
