#include "sync/state_record.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>

namespace satchel::sync {
namespace {

// What follows the path: which parts there are, and which are the same as an earlier one.
constexpr std::uint8_t is_there = 1;
constexpr std::uint8_t has_host = 2;
constexpr std::uint8_t has_agreed = 4;
constexpr std::uint8_t host_is_guests = 8;     // the host's version is the guest's
constexpr std::uint8_t agreed_is_guests = 16;  // and so is the one agreed on
constexpr std::uint8_t all_flags = 31;

constexpr std::uint8_t has_digest = 8;  // beside a kind
constexpr std::uint8_t by_stamp = 16;   // beside a mode's upper byte

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class T>
  void number(T value) {
    auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t n = 0; n < sizeof(T); ++n) {
      out_ += static_cast<char>(bits & 0xffU);
      if constexpr (sizeof(T) > 1) bits >>= 8U;
    }
  }
  void text(std::string_view text) {
    number(static_cast<std::uint32_t>(text.size()));
    out_ += text;
  }
  void version(const Version& version) {
    const auto kind = static_cast<std::uint8_t>(version.kind);
    number(static_cast<std::uint8_t>(version.digest ? kind | has_digest : kind));
    number(version.size.value);
    if (version.digest) out_.append(version.digest->bytes.begin(), version.digest->bytes.end());
  }
  void stamp(const Stamp& stamp, Trust trust) {
    number(stamp.size.value);
    number(stamp.mtime.value);
    number(stamp.changed.value);
    number(stamp.inode);
    number(static_cast<std::uint16_t>(stamp.mode));
    number(static_cast<std::uint8_t>(trust == Trust::by_stamp ? by_stamp : 0));
  }

 private:
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T number() {
    std::make_unsigned_t<T> bits = 0;
    const std::string_view bytes = take(sizeof(T));
    for (std::size_t n = 0; n < bytes.size(); ++n)
      bits = static_cast<std::make_unsigned_t<T>>(
          bits | static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[n])) << (8 * n));
    return static_cast<T>(bits);
  }
  std::string text() { return std::string(take(number<std::uint32_t>())); }
  Version version() {
    Version out;
    const auto kind = number<std::uint8_t>();
    if ((kind & ~(has_digest | 3U)) != 0) good_ = false;
    out.kind = static_cast<Kind>(kind & 3U);
    out.size = ByteCount(number<std::uint64_t>());
    if ((kind & has_digest) == 0) return out;
    const std::string_view bytes = take(sizeof(Digest::bytes));
    std::ranges::copy(bytes, out.digest.emplace().bytes.begin());
    return out;
  }
  void stamp(Seen& to) {
    to.stamp.size = ByteCount(number<std::uint64_t>());
    to.stamp.mtime = UnixNanos(number<std::int64_t>());
    to.stamp.changed = UnixNanos(number<std::int64_t>());
    to.stamp.inode = number<std::uint64_t>();
    to.stamp.mode = number<std::uint16_t>();
    to.trust = number<std::uint8_t>() == by_stamp ? Trust::by_stamp : Trust::by_digest;
  }
  void require(bool condition) { good_ = good_ && condition; }
  bool is_good() const { return good_; }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }

  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

void write_record(const RecordChange& change, std::string& out) {
  Writer writer(out);
  writer.text(change.path);
  if (!change.record) return writer.number(std::uint8_t{0});
  const Record& record = *change.record;
  const Version& guest = record.guest.version;
  const bool same_host = record.host && record.host->version == guest;
  const bool same_agreed = record.agreed && *record.agreed == guest;
  unsigned flags = is_there;
  if (record.host) flags |= has_host;
  if (record.agreed) flags |= has_agreed;
  if (same_host) flags |= host_is_guests;
  if (same_agreed) flags |= agreed_is_guests;
  writer.number(static_cast<std::uint8_t>(flags));
  writer.version(guest);
  writer.stamp(record.guest.stamp, record.guest.trust);
  if (record.host) {
    if (!same_host) writer.version(record.host->version);
    writer.stamp(record.host->stamp, record.host->trust);
  }
  if (record.agreed && !same_agreed) writer.version(*record.agreed);
}

std::optional<RecordChange> take_record(std::string_view& bytes) {
  Reader reader(bytes);
  RecordChange out;
  out.path = reader.text();
  const auto flags = reader.number<std::uint8_t>();
  reader.require(!refusal_of_path(out.path) && (flags & ~all_flags) == 0);
  if ((flags & is_there) != 0) {
    Record& record = out.record.emplace();
    record.guest.version = reader.version();
    reader.stamp(record.guest);
    if ((flags & has_host) != 0) {
      Seen& host = record.host.emplace();
      host.version = (flags & host_is_guests) != 0 ? record.guest.version : reader.version();
      reader.stamp(host);
    }
    if ((flags & has_agreed) != 0)
      record.agreed = (flags & agreed_is_guests) != 0 ? record.guest.version : reader.version();
  }
  if (!reader.is_good()) return std::nullopt;
  bytes = reader.rest();
  return out;
}

}  // namespace satchel::sync
