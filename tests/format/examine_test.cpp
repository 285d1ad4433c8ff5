#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/fault.hpp"
#include "format/effects.hpp"
#include "format/sample.hpp"

using namespace satchel;
using namespace satchel::format;
namespace fs = std::filesystem;

namespace {

struct ThreeGenerations {
  Scratch stick;
  CapsuleId id{Uuid::random()};
  SignedHead first, second, third;
  fs::path folder = stick.capsule(id);

  ThreeGenerations() {
    auto capsule = CapsuleDirectory::create(stick.fd(), id);
    first = commit_next(capsule, {}, "1");
    second = commit_next(capsule, first, "2");
    third = commit_next(capsule, second, "3");
  }

  CapsuleDirectory open() const { return CapsuleDirectory::open(stick.fd(), id); }
  fs::path newest_slot() const {
    const auto newer = read_slot(bytes_of(contents(folder / "slots/0"))).record->seq.value == 3;
    return folder / (newer ? "slots/0" : "slots/1");
  }
  fs::path older_slot() const {
    return folder / (newest_slot().filename() == "0" ? "slots/1" : "slots/0");
  }
  void expect_second_only() const {
    const Examination found = open().examine();
    REQUIRE(found.newest);
    CHECK(found.newest->head == second.head);
    CHECK_FALSE(found.previous);
    CHECK_FALSE(found.problems.empty());
  }
};

void seal(std::string& slot) {
  const Digest check = digest_of(std::string_view(slot).substr(0, 480));
  std::copy(check.bytes.begin(), check.bytes.end(), slot.begin() + 480);
}

Remedy remedy_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Fault& fault) {
    INFO(fault.what());
    return fault.remedy();
  }
  FAIL("nothing was refused");
  return Remedy::report_bug;
}

}  // namespace

TEST_CASE("the newest two generations are found, without a problem") {
  const ThreeGenerations stick;
  const Examination found = stick.open().examine();
  REQUIRE(found.newest);
  REQUIRE(found.previous);
  CHECK(found.newest->head == stick.third.head);
  CHECK(found.newest->digest == stick.third.digest);
  CHECK(found.previous->head == stick.second.head);
  CHECK(found.problems.empty());
  CHECK_FALSE(found.unknown_version);
}

TEST_CASE("a lost commit record is told, and the generation before counts") {
  const ThreeGenerations stick;
  std::string slot = contents(stick.newest_slot());
  SECTION("torn") { slot[100] = 1; }
  SECTION("zeroed") { slot.assign(slot.size(), '\0'); }
  overwrite(stick.newest_slot(), slot);
  // newest_slot() names the older one from now on, but the file is what it was.
  const Examination found = stick.open().examine();
  REQUIRE(found.newest);
  CHECK(found.newest->head == stick.second.head);
  CHECK_FALSE(found.previous);
  // All but the record is there: it was committed.
  CHECK(found.damaged == Sequence(3));
  CHECK_FALSE(found.problems.empty());
}

TEST_CASE("a commit record that was lost beside the first generation is told as well") {
  const Scratch stick;
  const CapsuleId id(Uuid::random());
  auto capsule = CapsuleDirectory::create(stick.fd(), id);
  const auto first = commit_next(capsule, {}, "1");
  commit_next(capsule, first, "2");
  const auto slot = stick.capsule(id) / "slots/1";
  auto record = contents(slot);
  SECTION("torn") {
    record[100] = 1;
    overwrite(slot, record);
    CHECK(CapsuleDirectory::open(stick.fd(), id).examine().damaged == Sequence(2));
  }
  SECTION("never written, as an interrupted commit leaves it") {
    overwrite(slot, std::string(record.size(), '\0'));
    CHECK_FALSE(CapsuleDirectory::open(stick.fd(), id).examine().damaged);
  }
}

TEST_CASE("a slot at a bad place of the medium counts as torn, whatever number the kernel gives") {
  const ThreeGenerations stick;
  Effects effects;
  effects.bad_place = {stick.newest_slot().string(),
                       GENERATE(EIO, ENODATA, EREMOTEIO, EUCLEAN, EBADMSG, ETIMEDOUT), 0};
  std::optional<Examination> found;
  effects.during([&] { found = stick.open().examine(); });
  REQUIRE(found->newest);
  CHECK(found->newest->head == stick.second.head);
  CHECK(found->damaged == Sequence(3));
}

TEST_CASE("a torn slot whose generation is not here is that of a commit that was cut short") {
  const ThreeGenerations stick;
  std::string slot = contents(stick.newest_slot());
  slot[100] = 1;
  overwrite(stick.newest_slot(), slot);
  SECTION("without its head") { fs::remove(stick.folder / "heads/3.json"); }
  SECTION("without an object") { fs::remove(stick.folder / "memory/3.pages"); }
  CHECK_FALSE(stick.open().examine().damaged);
}

TEST_CASE("a commit on top of what can't be read says that, and not that others committed") {
  const ThreeGenerations stick;
  const auto path = stick.newest_slot();
  std::string slot = contents(path);
  slot[100] = 1;
  overwrite(path, slot);
  auto capsule = stick.open();
  try {
    capsule.commit(next_head(stick.id, stick.third), host_key());
    FAIL("was committed");
  } catch (const Fault& fault) {
    CHECK(fault.remedy() == Remedy::retry);
    CHECK(std::string(fault.what()).find("is torn.") == std::string::npos);
    CHECK(std::string(fault.what()).find("is torn") != std::string::npos);
  }
}

TEST_CASE("a missing or short slot counts as torn") {
  const ThreeGenerations stick;
  SECTION("missing") { fs::remove(stick.newest_slot()); }
  SECTION("short") { fs::resize_file(stick.newest_slot(), 300); }
  SECTION("long") { fs::resize_file(stick.newest_slot(), 9000); }
  SECTION("a directory") {
    const auto slot = stick.newest_slot();
    fs::remove(slot);
    fs::create_directory(slot);
  }
  SECTION("a link") {
    const auto slot = stick.newest_slot();
    fs::rename(slot, stick.folder / "kept");
    fs::create_symlink("../kept", slot);
  }
  SECTION("a FIFO") {
    const auto slot = stick.newest_slot();
    fs::remove(slot);
    REQUIRE(::mkfifo(slot.c_str(), 0600) == 0);
  }
  stick.expect_second_only();
}

TEST_CASE("a generation whose head or object is damaged is incomplete, and the other counts") {
  const ThreeGenerations stick;
  const fs::path head = stick.folder / "heads/3.json";
  SECTION("head missing") { fs::remove(head); }
  SECTION("head changed") { overwrite(head, contents(head) + " "); }
  SECTION("head too large") { fs::resize_file(head, largest_head + 1); }
  SECTION("head replaced by the one before") {
    fs::copy_file(stick.folder / "heads/2.json", head, fs::copy_options::overwrite_existing);
  }
  SECTION("object missing") { fs::remove(stick.folder / "memory/3.pages"); }
  SECTION("object short") { fs::resize_file(stick.folder / "memory/3.pages", 2); }
  SECTION("object long") { fs::resize_file(stick.folder / "vda/layer-3.qcow2", 2000); }
  SECTION("object a link") {
    fs::rename(stick.folder / "memory/3.map", stick.folder / "memory/kept");
    fs::create_symlink("kept", stick.folder / "memory/3.map");
  }
  stick.expect_second_only();
}

TEST_CASE("an image or COW file may grow by a merge, and may not shrink") {
  const ThreeGenerations stick;
  fs::resize_file(stick.folder / "vda/cow.qcow2", 5000);
  CHECK(stick.open().examine().problems.empty());
  fs::resize_file(stick.folder / "vda/cow.qcow2", 1);
  CHECK_FALSE(stick.open().examine().newest);
}

TEST_CASE("with both slots torn nothing is offered and nothing is written") {
  const ThreeGenerations stick;
  for (const char* slot : {"slots/0", "slots/1"}) {
    std::string bytes = contents(stick.folder / slot);
    bytes[30] = static_cast<char>(bytes[30] ^ 4);
    overwrite(stick.folder / slot, bytes);
  }
  const std::string before = listing(stick.folder);
  auto capsule = stick.open();
  const Examination found = capsule.examine();
  CHECK_FALSE(found.newest);
  CHECK_FALSE(found.previous);
  CHECK(found.problems.size() == 2);
  const auto refused = [&](auto act) { CHECK(remedy_of(act) == Remedy::other_device); };
  refused([&] { capsule.commit(next_head(stick.id, stick.third), host_key()); });
  refused([&] { capsule.commit(next_head(stick.id, {}), host_key()); });
  refused([&] { capsule.create_object("memory/4.pages"); });
  refused([&] { capsule.sweep(); });
  refused([&] { capsule.append_log("x"); });
  CHECK(listing(stick.folder) == before);
}

TEST_CASE("what a later version wrote is left alone") {
  const ThreeGenerations stick;
  SECTION("a slot") {
    const auto file = stick.newest_slot();
    std::string slot = contents(file);
    slot[8] = 9;
    seal(slot);
    overwrite(file, slot);
  }
  SECTION("a head") {
    const auto slot_file = stick.newest_slot();
    auto json = nlohmann::json::parse(contents(stick.folder / "heads/3.json"));
    json["version"] = 9;
    overwrite(stick.folder / "heads/3.json", json.dump());
    SlotRecord record = *read_slot(bytes_of(contents(slot_file))).record;
    record.head = digest_of(json.dump());
    const SlotBytes bytes = write_slot(record);
    overwrite(slot_file, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  const std::string before = listing(stick.folder);
  auto capsule = stick.open();
  const Examination found = capsule.examine();
  CHECK(found.unknown_version == 9);
  CHECK_FALSE(found.newest);
  CHECK_FALSE(found.problems.empty());
  const auto refused = [&](auto act) { CHECK(remedy_of(act) == Remedy::later_version); };
  refused([&] { capsule.commit(next_head(stick.id, stick.second), host_key()); });
  refused([&] { capsule.create_object("memory/4.pages"); });
  refused([&] { capsule.sweep(); });
  refused([&] { capsule.append_log("x"); });
  CHECK(listing(stick.folder) == before);
}

TEST_CASE("a slot of another history with the same number is told and not chosen") {
  const ThreeGenerations stick;
  // The other history's generation 3 lands in the slot of generation 2.
  Head rival = next_head(stick.id, stick.second);
  const std::string bytes = write_head(rival, host_key());
  SlotRecord record{rival.generation.seq, rival.generation.id, rival.generation.parent,
                    digest_of(bytes)};
  const SlotBytes slot = write_slot(record);
  overwrite(stick.older_slot(), {reinterpret_cast<const char*>(slot.data()), slot.size()});
  const Examination found = stick.open().examine();
  REQUIRE(found.newest);
  CHECK(found.newest->head == stick.third.head);
  CHECK_FALSE(found.problems.empty());
}

TEST_CASE("a generation that does not continue the one beside it is told") {
  const ThreeGenerations stick;
  Head stranger = next_head(stick.id, stick.third);
  stranger.generation.parent = GenerationId(Uuid::random());
  const std::string bytes = write_head(stranger, host_key());
  overwrite(stick.folder / "heads/4.json", bytes);
  const SlotBytes slot = write_slot({stranger.generation.seq, stranger.generation.id,
                                     stranger.generation.parent, digest_of(bytes)});
  overwrite(stick.older_slot(), {reinterpret_cast<const char*>(slot.data()), slot.size()});
  const Examination found = stick.open().examine();
  REQUIRE(found.newest);
  CHECK(found.newest->head == stranger);
  CHECK(found.problems.size() == 1);
}

TEST_CASE("a capsule copied under another name is not taken for that one") {
  const ThreeGenerations stick;
  const CapsuleId other(Uuid::random());
  fs::copy(stick.folder, stick.stick.capsule(other), fs::copy_options::recursive);
  const Examination found = CapsuleDirectory::open(stick.stick.fd(), other).examine();
  CHECK_FALSE(found.newest);
  CHECK(found.problems.size() == 2);
}

TEST_CASE("a generation that broke is replaced by one that continues the whole one") {
  const ThreeGenerations stick;
  fs::remove(stick.folder / "memory/3.pages");
  auto capsule = stick.open();
  const Examination found = capsule.examine();
  REQUIRE(found.newest);
  const SignedHead again = commit_next(capsule, found.newest, "3, once more");
  const Examination after = stick.open().examine();
  REQUIRE(after.newest);
  CHECK(after.newest->head == again.head);
  REQUIRE(after.previous);
  CHECK(after.previous->head == stick.second.head);
  CHECK(after.problems.empty());
}
