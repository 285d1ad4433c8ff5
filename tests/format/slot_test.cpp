#include "format/slot.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace satchel;
using namespace satchel::format;

namespace {

SlotRecord sample() {
  return {Sequence(0x0102030405060708), GenerationId(Uuid::random()), GenerationId(Uuid::random()),
          digest_of(std::string_view("a head"))};
}

void seal(SlotBytes& bytes) {
  const Digest check = digest_of(std::span<const std::byte>(bytes).first(480));
  for (std::size_t i = 0; i < 32; ++i) bytes[480 + i] = std::byte{check.bytes[i]};
}

}  // namespace

TEST_CASE("a commit record reads back as it was written") {
  SlotRecord record = sample();
  const SlotReading reading = read_slot(write_slot(record));
  CHECK(reading.state == SlotState::valid);
  CHECK(reading.record == record);
  record.parent.reset();
  record.seq = Sequence(1);
  CHECK(read_slot(write_slot(record)).record == record);
}

TEST_CASE("a commit record has its fields where the format's page says") {
  const SlotRecord record = sample();
  const SlotBytes bytes = write_slot(record);
  const char* magic = "SATCHEL";  // and the zero at its end
  for (std::size_t i = 0; i < 8; ++i) CHECK(bytes[i] == std::byte(magic[i]));
  CHECK(bytes[8] == std::byte{1});
  for (std::size_t i = 0; i < 8; ++i) CHECK(bytes[16 + i] == std::byte(8 - i));
  for (std::size_t i = 0; i < 16; ++i) {
    CHECK(bytes[24 + i] == std::byte{record.id.value.bytes()[i]});
    CHECK(bytes[40 + i] == std::byte{record.parent->value.bytes()[i]});
  }
  for (std::size_t i = 0; i < 32; ++i) CHECK(bytes[56 + i] == std::byte{record.head.bytes[i]});
}

TEST_CASE("every single flipped bit of a commit record is found") {
  const SlotBytes good = write_slot(sample());
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    SlotBytes bent = good;
    bent[bit / 8] ^= std::byte(1U << (bit % 8));
    if (read_slot(bent).state != SlotState::torn) FAIL("bit " << bit);
  }
}

TEST_CASE("a commit record torn at any byte between old and new is found") {
  const SlotBytes before = write_slot(sample());
  const SlotBytes after = write_slot(sample());
  for (std::size_t cut = 1; cut < 512; ++cut) {
    SlotBytes torn = before;
    std::copy_n(after.begin(), cut, torn.begin());
    if (torn == before || torn == after) continue;
    if (read_slot(torn).state != SlotState::torn) FAIL("cut at " << cut);
    SlotBytes first{};
    std::copy_n(after.begin(), cut, first.begin());
    if (read_slot(first).state != SlotState::torn) FAIL("first record cut at " << cut);
  }
}

TEST_CASE("zeros are an empty slot, and any other length is a torn one") {
  const SlotBytes zeros{};
  CHECK(read_slot(zeros).state == SlotState::empty);
  const SlotBytes good = write_slot(sample());
  const std::span<const std::byte> all(good);
  for (std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{88}, std::size_t{511}})
    CHECK(read_slot(all.first(n)).state == SlotState::torn);
}

TEST_CASE("a sealed record of another version is not ours to read") {
  SlotBytes bytes = write_slot(sample());
  bytes[8] = std::byte{2};
  seal(bytes);
  const SlotReading reading = read_slot(bytes);
  CHECK(reading.state == SlotState::unknown_version);
  CHECK(reading.version == 2);
  CHECK_FALSE(reading.record);
}

TEST_CASE("a sealed record that makes no sense is refused") {
  const auto resealed = [](std::size_t at, std::size_t n, std::byte value) {
    SlotBytes bytes = write_slot(sample());
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), n, value);
    seal(bytes);
    return read_slot(bytes).state;
  };
  CHECK(resealed(16, 8, std::byte{0}) == SlotState::torn);   // seq 0
  CHECK(resealed(24, 16, std::byte{0}) == SlotState::torn);  // no id
  CHECK(resealed(40, 16, std::byte{0}) == SlotState::torn);  // no parent, and not the first
  CHECK(resealed(12, 1, std::byte{1}) == SlotState::torn);
  CHECK(resealed(479, 1, std::byte{1}) == SlotState::torn);
}
