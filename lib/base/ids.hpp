// Identities and quantities as types of their own, so that one can't be passed for another.
// Values only; usable from any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace satchel {

/// A UUID (RFC 4122), written in lower case with dashes.
class Uuid {
 public:
  constexpr Uuid() = default;
  explicit constexpr Uuid(std::array<std::uint8_t, 16> bytes) : bytes_(bytes) {}

  /// A random (version 4) UUID from the kernel's generator.
  static Uuid random();
  /// Exactly the 36-character form, either case; anything else is none.
  static std::optional<Uuid> parse(std::string_view text);

  std::string str() const;
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  bool is_nil() const { return *this == Uuid(); }
  auto operator<=>(const Uuid&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

/// A value of type Rep that only mixes with its own Tag.
template <class Tag, class Rep>
struct Tagged {
  Rep value{};
  constexpr Tagged() = default;
  explicit constexpr Tagged(Rep rep) : value(std::move(rep)) {}
  auto operator<=>(const Tagged&) const = default;
};

using CapsuleId = Tagged<struct CapsuleTag, Uuid>;
using GenerationId = Tagged<struct GenerationTag, Uuid>;
using SessionId = Tagged<struct SessionTag, Uuid>;
/// A host's identity: the first 16 bytes of its public key's digest, in UUID form.
using HostId = Tagged<struct HostTag, Uuid>;
/// A libvirt domain's UUID.
using DomainId = Tagged<struct DomainTag, Uuid>;
/// Number of a generation within its capsule; the first is 1.
using Sequence = Tagged<struct SequenceTag, std::uint64_t>;
/// Number of a job within one run of the daemon; the first is 1.
using JobId = Tagged<struct JobTag, std::uint64_t>;
/// A size in bytes.
using ByteCount = Tagged<struct ByteTag, std::uint64_t>;
/// An instant as microseconds since 1970-01-01 00:00 UTC.
using UnixMicros = Tagged<struct UnixMicrosTag, std::uint64_t>;
/// An instant as nanoseconds since 1970-01-01 00:00 UTC, as files have it; may lie before that.
using UnixNanos = Tagged<struct UnixNanosTag, std::int64_t>;

constexpr ByteCount operator+(ByteCount a, ByteCount b) { return ByteCount(a.value + b.value); }
constexpr ByteCount mebibytes(std::uint64_t n) { return ByteCount(n << 20); }

/// "1.4 GiB", "312 KiB", "0 B": binary units, at most three digits.
std::string to_string(ByteCount bytes);

}  // namespace satchel

template <class Tag, class Rep>
struct std::hash<satchel::Tagged<Tag, Rep>> {
  std::size_t operator()(const satchel::Tagged<Tag, Rep>& id) const noexcept {
    return std::hash<Rep>{}(id.value);
  }
};

template <>
struct std::hash<satchel::Uuid> {
  std::size_t operator()(const satchel::Uuid& id) const noexcept;
};
