#include "format/slot.hpp"

#include <algorithm>
#include <string_view>

#include "format/head.hpp"

namespace satchel::format {
namespace {

// docs/DEVICE-FORMAT.md, "Slots". Magic, version and check stay where they are in every version.
constexpr std::string_view magic("SATCHEL\0", 8);
constexpr std::size_t at_version = 8;
constexpr std::size_t at_zero = 12;
constexpr std::size_t at_seq = 16;
constexpr std::size_t at_id = 24;
constexpr std::size_t at_parent = 40;
constexpr std::size_t at_head = 56;
constexpr std::size_t at_rest = 88;
constexpr std::size_t at_check = 480;

template <class Int>
void put(SlotBytes& out, std::size_t at, Int value) {
  for (std::size_t i = 0; i < sizeof value; ++i)
    out[at + i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
}

template <class Int>
Int get(std::span<const std::byte> in, std::size_t at) {
  Int out = 0;
  for (std::size_t i = 0; i < sizeof out; ++i) out |= static_cast<Int>(in[at + i]) << (8 * i);
  return out;
}

template <class Bytes>
void put_bytes(SlotBytes& out, std::size_t at, const Bytes& bytes) {
  std::ranges::copy(std::as_bytes(std::span(bytes)), out.begin() + static_cast<std::ptrdiff_t>(at));
}

template <class Bytes>
Bytes get_bytes(std::span<const std::byte> in, std::size_t at) {
  Bytes out{};
  std::ranges::copy(in.subspan(at, out.size()), std::as_writable_bytes(std::span(out)).begin());
  return out;
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

SlotBytes write_slot(const SlotRecord& record) {
  SlotBytes out{};
  put_bytes(out, 0, magic);
  put(out, at_version, format_version);
  put(out, at_seq, record.seq.value);
  put_bytes(out, at_id, record.id.value.bytes());
  if (record.parent) put_bytes(out, at_parent, record.parent->value.bytes());
  put_bytes(out, at_head, record.head.bytes);
  put_bytes(out, at_check, digest_of(std::span<const std::byte>(out).first(at_check)).bytes);
  return out;
}

SlotReading read_slot(std::span<const std::byte> bytes) {
  if (bytes.size() != sizeof(SlotBytes)) return {SlotState::torn, {}, 0};
  if (all_zero(bytes)) return {SlotState::empty, {}, 0};
  using DigestBytes = decltype(Digest::bytes);
  using UuidBytes = std::array<std::uint8_t, 16>;
  const Digest check{get_bytes<DigestBytes>(bytes, at_check)};
  if (!std::ranges::equal(bytes.first(magic.size()), std::as_bytes(std::span(magic))) ||
      check != digest_of(bytes.first(at_check)))
    return {SlotState::torn, {}, 0};
  const auto version = get<std::uint32_t>(bytes, at_version);
  if (version != format_version) return {SlotState::unknown_version, {}, version};

  SlotRecord record{Sequence(get<std::uint64_t>(bytes, at_seq)),
                    GenerationId(Uuid(get_bytes<UuidBytes>(bytes, at_id))),
                    {},
                    Digest{get_bytes<DigestBytes>(bytes, at_head)}};
  const GenerationId parent(Uuid(get_bytes<UuidBytes>(bytes, at_parent)));
  if (!parent.value.is_nil()) record.parent = parent;
  const bool sane = record.seq.value >= 1 && !record.id.value.is_nil() &&
                    record.parent.has_value() == (record.seq.value > 1) &&
                    all_zero(bytes.subspan(at_zero, at_seq - at_zero)) &&
                    all_zero(bytes.subspan(at_rest, at_check - at_rest));
  if (!sane) return {SlotState::torn, {}, 0};
  return {SlotState::valid, record, 0};
}

}  // namespace satchel::format
