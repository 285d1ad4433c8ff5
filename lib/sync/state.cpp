#include "sync/state.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fault.hpp"
#include "crypto/digest.hpp"
#include "sync/names.hpp"
#include "sync/state_record.hpp"

namespace satchel::sync {
namespace {

constexpr const char* records_name = "records";
constexpr const char* new_name = "records.new";
constexpr const char* under_way_name = "under-way";
constexpr const char* new_under_way_name = "under-way.new";
constexpr const char* lock_name = "lock";
constexpr std::string_view front = "satchel-sync 1\n";
constexpr std::size_t batch_size = 1U << 20;
constexpr std::uint64_t few_records = 4096;

constexpr const char* shown_state = "the state of the last sync";

[[noreturn]] void fail(const char* doing) { throw fault_from_errno(errno, doing, shown_state); }

std::string read_whole(int fd) {
  struct stat about {};
  if (::fstat(fd, &about) != 0) fail("read");
  std::string out(static_cast<std::size_t>(about.st_size), '\0');
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("read");
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  out.resize(done);
  return out;
}

void write_at(int fd, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write");
    offset += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

UniqueFd open_at(int directory, const char* name, int flags) {
  return UniqueFd(::openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600));
}

UniqueFd create(int directory, const char* name) {
  UniqueFd fd = open_at(directory, name, O_RDWR | O_CREAT | O_TRUNC);
  if (!fd) fail("write");
  return fd;
}

// The new file takes the name when it is whole on the medium.
void put(int directory, const UniqueFd& fd, const char* name, const char* final_name) {
  if (::fsync(fd.get()) != 0) fail("write");
  if (::renameat(directory, name, directory, final_name) != 0) fail("write");
  if (::fsync(directory) != 0) fail("write");
}

std::string length_of(std::string_view body) {
  std::string out;
  for (unsigned shift = 0; shift < 32; shift += 8)
    out += static_cast<char>(body.size() >> shift & 0xffU);
  return out;
}

void append_batch(std::string& out, std::string_view body) {
  const Digest digest = digest_of(body);
  out += length_of(body);
  out += body;
  out.append(digest.bytes.begin(), digest.bytes.end());
}

}  // namespace

State::State(int directory, Use use) : directory_(directory), use_(use) {
  if (use_ == Use::written) lock();
  load();
}

void State::lock() {
  lock_ = open_at(directory_, lock_name, O_RDWR | O_CREAT);
  if (!lock_) fail("lock");
  while (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      throw Fault(Remedy::retry, {"sync", "the folder", "a sync of it is under way", {}});
    if (errno != EINTR) fail("lock");
  }
}

void State::load() {
  if (const UniqueFd note = open_at(directory_, under_way_name, O_RDONLY)) {
    const std::string moment = read_whole(note.get());
    if (parse_moment(moment)) unfinished_ = moment;
  }
  const UniqueFd file = open_at(directory_, records_name, O_RDONLY);
  if (!file && errno == ENOENT) return;
  if (!file) fail("read");
  const std::string bytes = read_whole(file.get());
  if (!bytes.starts_with(front)) {
    // One version there is so far; a later one's file must not be taken for a damaged one.
    if (bytes.starts_with(front.substr(0, front.find(' '))))
      throw Fault(Remedy::later_version, {"read", shown_state, "a later version wrote it", {}});
    damaged_ = !bytes.empty();
    return;
  }
  size_ = front.size() + read_batches(std::string_view(bytes).substr(front.size()));
  // The end of the last batch may be missing after a loss of power; that is no damage.
  damaged_ = damaged_ || bytes.size() > size_ + batch_size * 2;
}

// Gives how many bytes count.
std::size_t State::read_batches(std::string_view bytes) {
  std::size_t done = 0;
  while (bytes.size() - done >= 4) {
    std::size_t length = 0;
    for (std::size_t n = 4; n-- > 0;)
      length = length << 8U | static_cast<unsigned char>(bytes[done + n]);
    if (length > bytes.size() - done - 4 ||
        bytes.size() - done - 4 - length < sizeof(Digest::bytes))
      break;
    std::string_view body = bytes.substr(done + 4, length);
    const std::string_view digest = bytes.substr(done + 4 + length, sizeof(Digest::bytes));
    if (!std::ranges::equal(digest_of(body).bytes, digest, {}, {},
                            [](char c) { return static_cast<unsigned char>(c); }))
      break;
    while (!body.empty()) {
      auto change = take_record(body);
      if (!change) {
        damaged_ = true;
        break;
      }
      ++total_;
      if (change->record)
        records_.insert_or_assign(records_.end(), std::move(change->path),
                                  *std::move(change->record));
      else
        records_.erase(change->path);
    }
    done += 4 + length + sizeof(Digest::bytes);
  }
  return done;
}

void State::begin(const std::string& moment) {
  if (unfinished_ != moment) {
    const UniqueFd note = create(directory_, new_under_way_name);
    write_at(note.get(), 0, moment);
    put(directory_, note, new_under_way_name, under_way_name);
    unfinished_ = moment;
  }
  open_for_appending();
}

void State::open_for_appending() {
  if (size_ == 0) return write_anew();
  file_ = open_at(directory_, records_name, O_RDWR);
  if (!file_) fail("write");
  // What did not count is not to come after what does.
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) fail("write");
}

void State::write_anew() {
  file_ = create(directory_, new_name);
  size_ = 0;
  std::string bytes(front);
  std::string body;
  const auto write = [&] {
    if (!body.empty()) append_batch(bytes, body);
    write_at(file_.get(), size_, bytes);
    size_ += bytes.size();
    bytes.clear();
    body.clear();
  };
  for (const auto& [path, record] : records_) {
    write_record({path, record}, body);
    if (body.size() >= batch_size) write();
  }
  write();
  total_ = records_.size();
  put(directory_, file_, new_name, records_name);
}

void State::append(std::span<const RecordChange> changes) {
  std::string bytes;
  std::string body;
  for (const RecordChange& change : changes) {
    write_record(change, body);
    ++total_;
    if (change.record)
      records_.insert_or_assign(change.path, *change.record);
    else
      records_.erase(change.path);
    if (body.size() < batch_size) continue;
    append_batch(bytes, body);
    body.clear();
  }
  if (!body.empty()) append_batch(bytes, body);
  if (bytes.empty()) return;
  write_at(file_.get(), size_, bytes);
  if (::fdatasync(file_.get()) != 0) fail("write");
  size_ += bytes.size();
}

void State::end() {
  if (total_ > few_records && total_ > 2 * records_.size()) write_anew();
  if (!unfinished_) return;
  if (::unlinkat(directory_, under_way_name, 0) != 0 && errno != ENOENT) fail("write");
  if (::fsync(directory_) != 0) fail("write");
  unfinished_.reset();
}

}  // namespace satchel::sync
