#include "runtime/sync_book.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
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

std::optional<CapsuleId> SyncBook::reading() const {
  return reading_ ? std::optional(reading_->capsule) : std::nullopt;
}

SyncBook::Ticket::Ticket(SyncBook& book, boost::asio::any_io_executor loop, Reading reading)
    : book_(book), ended_(std::make_shared<boost::asio::steady_timer>(std::move(loop))) {
  ended_->expires_at(boost::asio::steady_timer::time_point::max());
  book_.reading_ = std::move(reading);
  book_.ended_ = ended_;
}

SyncBook::Ticket::~Ticket() {
  const auto ended = std::move(book_.reading_->ended);
  book_.reading_.reset();
  ended_->cancel();
  if (ended) ended();
}

void SyncBook::stop_on(core::Insertion device) const {
  if (!reads(device)) return;
  const auto stop = reading_->stop;
  stop();
}

Task<void> SyncBook::end_on(core::Insertion device) {
  while (reads(device)) {
    auto ending = end();
    co_await std::move(ending);
  }
}

Task<void> SyncBook::end_of(CapsuleId capsule) {
  while (reading() == capsule) {
    auto ending = end();
    co_await std::move(ending);
  }
}

Task<void> SyncBook::end() {
  const auto ended = ended_.lock();
  const auto stop = reading_->stop;
  stop();
  // The next one's timer is another one.
  while (reading_ && ended_.lock() == ended) {
    boost::system::error_code woken;
    co_await ended->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, woken));
  }
}

}  // namespace satchel
