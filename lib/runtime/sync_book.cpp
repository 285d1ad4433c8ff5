#include "runtime/sync_book.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/fault.hpp"
#include "base/handle.hpp"

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
    throw fault_from_errno(errno, "make", place.string());
  const auto text = json{{"capsule", record.capsule.value.str()},
                         {"generation_id", record.generation_id.value.str()},
                         {"generation", record.generation.value},
                         {"time", record.time.value},
                         {"message", record.message},
                         {"complete", record.outcome == SyncRecord::Outcome::complete},
                         {"report", json::parse(record.report)}}
                        .dump();
  const auto target = place / (record.capsule.value.str() + ".json");
  const auto fresh = place / (record.capsule.value.str() + ".new");
  const UniqueFd file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) throw fault_from_errno(errno, "make", fresh.string());
  for (std::size_t at = 0; at < text.size();) {
    const auto n = ::write(file.get(), text.data() + at, text.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw fault_from_errno(errno, "write", fresh.string());
    at += static_cast<std::size_t>(n);
  }
  if (::fsync(file.get()) != 0) throw fault_from_errno(errno, "write", fresh.string());
  if (::rename(fresh.c_str(), target.c_str()) != 0)
    throw fault_from_errno(errno, "write", target.string());
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
