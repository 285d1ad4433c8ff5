#include "runtime/sync_book.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/host_fault.hpp"
#include "runtime/sessions.hpp"

namespace satchel {

namespace fs = std::filesystem;

namespace {

using nlohmann::json;

fs::path directory(const fs::path& state) { return state / "synced"; }

std::optional<SyncRecord> read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  try {
    const auto from = json::parse(text);
    SyncRecord out;
    const auto capsule = Uuid::parse(from.at("capsule").get<std::string>());
    const auto generation = Uuid::parse(from.at("generation_id").get<std::string>());
    if (!capsule || !generation) return std::nullopt;
    out.capsule = CapsuleId(*capsule);
    out.generation_id = GenerationId(*generation);
    out.generation = Sequence(from.at("generation").get<std::uint64_t>());
    out.time = UnixMicros(from.at("time").get<std::uint64_t>());
    out.message = from.at("message").get<std::string>();
    out.report = from.at("report").dump();
    if (from.at("complete").get<bool>()) out.outcome = SyncRecord::Outcome::complete;
    return out;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

std::vector<SyncRecord> SyncBook::load(const fs::path& state_directory) {
  std::vector<SyncRecord> out;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory(state_directory), none))
    if (entry.path().extension() == ".json")
      if (auto record = read(entry.path())) out.push_back(std::move(*record));
  return out;
}

void SyncBook::store(const fs::path& state_directory, const SyncRecord& record) {
  const auto place = directory(state_directory);
  if (::mkdir(place.c_str(), 0700) != 0 && errno != EEXIST)
    throw host_fault_from_errno(errno, "make", place.string());
  const auto text = json{{"capsule", record.capsule.value.str()},
                         {"generation_id", record.generation_id.value.str()},
                         {"generation", record.generation.value},
                         {"time", record.time.value},
                         {"message", record.message},
                         {"complete", record.outcome == SyncRecord::Outcome::complete},
                         {"report", json::parse(record.report)}}
                        .dump();
  replace_private_file(place / (record.capsule.value.str() + ".json"), text);
}

const SyncRecord* SyncBook::last(CapsuleId capsule) const {
  const auto found = last_.find(capsule);
  return found == last_.end() ? nullptr : &found->second;
}

const SyncRecord* SyncBook::last_dry_run(CapsuleId capsule) const {
  const auto found = dry_runs_.find(capsule);
  return found == dry_runs_.end() ? nullptr : &found->second;
}

}  // namespace satchel
