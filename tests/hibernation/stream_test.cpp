#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "hibernation/stream_cutter.hpp"
#include "streams.hpp"

using namespace satchel::hibernation;
using namespace satchel::test;

namespace {

using Kind = Piece::Kind;
using Ended = StreamParser::Ended;

struct Cut {
  std::string again;  ///< what the pieces add up to
  std::map<Kind, std::size_t> bytes;
  std::vector<Piece> pieces;
};

std::string big_endian(std::uint64_t value) {
  std::string out;
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

/// What a piece of fills stands for.
std::string fills(const Piece& piece) {
  std::string out;
  for (std::uint64_t i = 0; i < piece.size / fill_size; ++i)
    out += big_endian(fill_header(piece.address + i)) + '\0';
  return out;
}

/// Cuts a stream that comes in portions of up to `portion` bytes, and checks each piece's promises.
Cut cut_all(const std::string& stream, std::size_t portion = 1U << 20) {
  Cut out;
  StreamCutter cutter;
  std::string waiting;
  std::size_t given = 0;
  bool ended = false;
  while (!ended) {
    const auto n = std::min(portion, stream.size() - given);
    waiting.append(stream, given, n);
    given += n;
    ended = given == stream.size();
    std::vector<Piece> pieces;
    const auto taken =
        cutter.cut(std::as_bytes(std::span(waiting)), ended ? Ended::yes : Ended::no, pieces);
    std::size_t at = 0;
    for (const auto& piece : pieces) {
      bool right = piece.at == at && piece.size > 0;
      if (piece.kind == Kind::record)
        right = right && piece.size == 4104 &&
                waiting.compare(at, 8, big_endian(record_header(piece.address))) == 0;
      else if (piece.kind == Kind::fill)
        right = right && waiting.compare(at, piece.size, fills(piece)) == 0;
      else
        right = right && (piece.kind == Kind::bare ? piece.size == 4096 : piece.size < 4096);
      if (!right) FAIL("a wrong piece at " << out.again.size());
      out.again.append(waiting, at, piece.size);
      at += piece.size;
      out.bytes[piece.kind] += piece.size;
      out.pieces.push_back(piece);
    }
    REQUIRE(at == taken);
    waiting.erase(0, taken);
    REQUIRE((ended || waiting.size() < StreamCutter::longest_rest));
  }
  REQUIRE(waiting.empty());
  return out;
}

}  // namespace

TEST_CASE("the pages of a real stream are found, whatever the machine") {
  const auto machine = GENERATE(
      as<std::string>{}, plain_machine, "-machine pc -vga cirrus -device virtio-balloon",
      "-machine q35 -device virtio-net -device virtio-rng-pci -device ich9-intel-hda -smp 2",
      "-machine microvm", "-machine q35 -m 48 -device qemu-xhci -device usb-tablet -vga qxl");
  const auto& stream = real_stream(machine);
  const auto cut = cut_all(stream);
  CHECK((cut.again == stream));
  // The rest is the state of devices.
  CHECK(cut.bytes.at(Kind::record) + cut.bytes.at(Kind::fill) > stream.size() / 2);
  CHECK(cut.bytes.at(Kind::fill) / fill_size > 32U * 256 * 9 / 10);
  CHECK(cut.bytes.at(Kind::record) / record_size > 2);
}

TEST_CASE("it makes no difference in which portions a stream comes") {
  const auto& stream = real_stream();
  const auto whole = cut_all(stream);
  for (const std::size_t portion : {1UL, 7UL, 4096UL, 4104UL, 65'537UL}) {
    const auto cut = cut_all(stream.substr(0, portion == 1 ? 60'000 : stream.size()), portion);
    CHECK((stream.starts_with(cut.again)));
    if (portion == 1) continue;
    CHECK((cut.again == stream));
    CHECK(cut.bytes == whole.bytes);
  }
}

TEST_CASE("every prefix of a real stream comes back bit for bit") {
  const auto& stream = real_stream();
  for (std::size_t size = 0; size < stream.size(); size += size < 3000 ? 1 : 997) {
    const auto prefix = stream.substr(0, size);
    CHECK((cut_all(prefix).again == prefix));
  }
}

TEST_CASE("a damaged stream comes back as damaged as it was") {
  const auto& stream = real_stream();
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    auto other = stream.substr(0, i % 3 == 0 ? stream.size() : 20'000);
    for (unsigned n = 1 + random() % 30; n > 0; --n) {
      const auto at = random() % other.size();
      if (random() % 2)
        other[at] = static_cast<char>(random());
      else
        other.erase(at, random() % 9);
    }
    CHECK((cut_all(other, 1 + random() % 50'000).again == other));
  }
}

TEST_CASE("bytes of no known kind come back bit for bit") {
  std::mt19937 random(2);
  for (const std::size_t size : {0UL, 1UL, 4095UL, 4096UL, 4097UL, 300'000UL}) {
    std::string bytes(size, '\0');
    // Few values, so that flags and lengths that mean something come up often.
    for (auto& c : bytes) c = "\0\1\2\3\x08\x10\x22\x28\x7eQ"[random() % 10];
    const auto cut = cut_all(bytes, 10'000);
    CHECK((cut.again == bytes));
    CHECK((cut_all("QEVM" + std::string("\0\0\0\3", 4) + bytes).again.size() == size + 8));
  }
}

TEST_CASE("memory is found again behind what is not known") {
  MadeStream made;
  made.setup(1 << 20).begin_part().first_page(0, "pc.ram", random_page(0)).page(1, random_page(1));
  made.end_part();
  // Another section that goes on in between, as vfio's do.
  made.add(std::string("\2\0\0\0\x09", 5) + random_page(77) + std::string("\x7e\0\0\0\x09", 5));
  made.begin_part().page(2, random_page(2)).fill(3).end_part();
  const auto cut = cut_all(made.str());
  CHECK((cut.again == made.str()));
  CHECK(std::ranges::count(cut.pieces, Kind::record, &Piece::kind) == 2);
  CHECK(std::ranges::count(cut.pieces, Kind::fill, &Piece::kind) == 1);
  CHECK(cut.pieces.back().kind == Kind::text);

  // Before the first of memory, too.
  auto early = made.str();
  early.insert(23, "something unknown");
  CHECK(std::ranges::count(cut_all(early).pieces, Kind::record, &Piece::kind) == 2);
}

TEST_CASE("what is no page of zeros by a record's word is kept as it is") {
  MadeStream made;
  made.setup(1 << 20).begin_part().first_page(0, "pc.ram", random_page(0)).fill(1);
  auto stream = made.str();
  stream.back() = '\x55';
  CHECK((cut_all(stream).again == stream));
  CHECK(std::ranges::count(cut_all(stream).pieces, Kind::fill, &Piece::kind) == 0);
}
