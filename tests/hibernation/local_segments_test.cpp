// Copies of segments on the computer: they spare reads of the device and are never believed.
#include "hibernation/local_segments.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>

#include "base/fault.hpp"
#include "hibernation/cell_reader.hpp"
#include "hibernation/page_codec.hpp"
#include "page_samples.hpp"

using namespace satchel;
using namespace satchel::hibernation;
using namespace satchel::test;

namespace {

class Computer {
 public:
  Computer() {
    std::string name = (std::filesystem::temp_directory_path() / "satchel-copies-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    state = name;
  }
  ~Computer() { std::filesystem::remove_all(state); }
  Computer(const Computer&) = delete;
  Computer& operator=(const Computer&) = delete;

  std::filesystem::path state;
  LocalSegments segments() const { return LocalSegments(state / "cache" / "a capsule"); }

  Decoded decode(const PageStore& store, std::uint64_t number, std::string& out,
                 LocalCopy::Grows grows = LocalCopy::Grows::yes) const {
    const PageDecoder decoder(*read_page_map(store.maps.at(number)), store.opener(), Lenders{},
                              LocalUse{segments(), grows});
    out.clear();
    return decoder.decode(appending_to(out), 2, {}, {});
  }

  std::vector<std::filesystem::path> files() const {
    std::vector<std::filesystem::path> out;
    for (const auto& each : std::filesystem::directory_iterator(segments().directory()))
      out.push_back(each.path());
    return out;
  }
};

/// Two generations; the second refers to the first.
PageStore two_generations() {
  auto memory = first_memory(3000);
  PageStore store;
  store.encode(1, stream_of(memory), 0);
  for (std::size_t i = 0; i < 400; ++i) memory[i] += 9'000'000;
  store.encode(2, stream_of(memory), 1);
  return store;
}

}  // namespace

TEST_CASE("what was read of a device once is read of it no more") {
  const auto store = two_generations();
  const auto stream = store.decode(2);
  const Computer computer;
  std::string out;
  const auto first = computer.decode(store, 2, out);
  CHECK((out == stream));
  CHECK(first.at_hand == ByteCount(0));
  CHECK(first.read > mebibytes(8));
  CHECK(first.is_copied);
  const auto second = computer.decode(store, 2, out);
  CHECK((out == stream));
  CHECK(second.read == ByteCount(0));
  CHECK(second.at_hand > mebibytes(8));
  CHECK(second.is_copied);
  // Of another generation what both have.
  const auto other = computer.decode(store, 1, out);
  CHECK((out == store.decode(1)));
  CHECK(other.read < mebibytes(4));
  CHECK(other.read > ByteCount(0));
}

TEST_CASE("without growing, copies are used and none is made") {
  const auto store = two_generations();
  const Computer computer;
  std::string out;
  const auto none = computer.decode(store, 1, out, LocalCopy::Grows::no);
  CHECK(none.at_hand == ByteCount(0));
  CHECK_FALSE(none.is_copied);
  CHECK_FALSE(std::filesystem::exists(computer.segments().directory()));
  computer.decode(store, 1, out);
  const auto some = computer.decode(store, 2, out, LocalCopy::Grows::no);
  CHECK((out == store.decode(2)));
  CHECK(some.at_hand > mebibytes(6));
  CHECK(some.read > ByteCount(0));
  CHECK(computer.files().size() == 1);
}

TEST_CASE("a copy that was damaged, cut or emptied costs a read of the device, and is mended") {
  const auto store = two_generations();
  const auto stream = store.decode(2);
  std::mt19937 random(8);
  for (int round = 0; round < 30; ++round) {
    const Computer computer;
    std::string out;
    computer.decode(store, 2, out);
    const auto files = computer.files();
    REQUIRE(files.size() == 2);
    const auto& file = files[random() % 2];
    const auto size = std::filesystem::file_size(file);
    if (round % 3 == 0) {
      std::filesystem::resize_file(file, random() % size);
    } else {
      std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
      for (int i = 0; i < 40; ++i) {
        bytes.seekp(static_cast<std::streamoff>(random() % size));
        bytes.put(static_cast<char>(random()));
      }
    }
    const auto again = computer.decode(store, 2, out);
    CHECK((out == stream));
    CHECK(again.is_copied);
    CHECK(computer.decode(store, 2, out).read == ByteCount(0));
    CHECK((out == stream));
  }
}

TEST_CASE("copies give what differences are made against, and a missing one gives none") {
  const auto store = two_generations();
  const Computer computer;
  std::string out;
  computer.decode(store, 2, out);
  const auto base = read_page_base(*read_page_map(store.maps.at(2)), store.opener());
  CellReader local(base.segments, [&](const Segment& segment) {
    auto fd = computer.segments().open(segment);
    if (!fd) throw Fault(Remedy::retry, {"open", "a copy", "it is not there", {}});
    return fd;
  });
  CellReader device(base.segments, store.opener());
  std::mt19937 random(9);
  for (int i = 0; i < 500; ++i) {
    const auto segment = random() % base.segments.size();
    const auto cell = random() % base.segments[segment].cells;
    const auto wanted = device.read(segment, cell);
    REQUIRE(wanted);
    const auto found = local.read(segment, cell);
    // Only blocks that the generation needs were read.
    if (found) CHECK(std::ranges::equal(*found, *wanted));
  }
  computer.segments().keep_only(std::span(base.segments).first(1));
  CHECK(computer.files().size() == 1);
  CellReader less(base.segments, [&](const Segment& segment) {
    auto fd = computer.segments().open(segment);
    if (!fd) throw Fault(Remedy::retry, {"open", "a copy", "it is not there", {}});
    return fd;
  });
  CHECK(less.read(0, base.segments[0].cells - 1));
  CHECK_FALSE(less.read(1, 0));
}

TEST_CASE("a segment that was written here is its own copy") {
  const auto store = two_generations();
  const Computer computer;
  const auto& segment = store.made.at(1).segments.front();
  const UniqueFd file(::open(computer.state.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  REQUIRE(file);
  const auto& bytes = store.segments.at(1);
  REQUIRE(::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  computer.segments().adopt(file.get(), segment);
  std::string out;
  CHECK(computer.decode(store, 1, out, LocalCopy::Grows::no).read == ByteCount(0));
  CHECK((out == store.decode(1)));
}
