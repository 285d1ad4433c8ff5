#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <random>

#include "base/fault.hpp"
#include "format/sample.hpp"

using namespace satchel;
using namespace satchel::format;
namespace fs = std::filesystem;

namespace {

struct Stick : Scratch {
  CapsuleId id{Uuid::random()};
  fs::path folder = capsule(id);
  CapsuleDirectory made = CapsuleDirectory::create(fd(), id);
};

std::string output_of(const std::string& command) {
  const Handle<FILE, ::pclose> pipe(::popen(command.c_str(), "r"));
  REQUIRE(pipe);
  std::string out(4096, '\0');
  out.resize(std::fread(out.data(), 1, out.size(), pipe.get()));
  return out;
}

Object adopt(CapsuleDirectory& capsule, const std::string& path) {
  return capsule.adopt_object(path, {}, {});
}

}  // namespace

TEST_CASE("a new capsule is listed, empty, and closed to others, beside a README for everyone") {
  const Stick stick;
  CHECK(CapsuleDirectory::list(stick.fd()) == std::vector{stick.id});
  for (const char* slot : {"slots/0", "slots/1"})
    CHECK(contents(stick.folder / slot) == std::string(512, '\0'));
  const Examination found = CapsuleDirectory::open(stick.fd(), stick.id).examine();
  CHECK_FALSE(found.newest);
  CHECK(found.problems.empty());
  CHECK(fs::status(stick.folder).permissions() == fs::perms(0700));
  CHECK(fs::status(stick.path() / "satchel").permissions() == fs::perms(0755));
  CHECK(fs::status(stick.path() / "satchel/README.txt").permissions() == fs::perms(0644));
  CHECK(contents(stick.path() / "satchel/README.txt").find("qemu-img") != std::string::npos);
  CHECK_THROWS_AS(CapsuleDirectory::create(stick.fd(), stick.id), Fault);
}

TEST_CASE("listing passes over what is no capsule") {
  const Stick stick;
  const fs::path top = stick.path() / "satchel";
  fs::create_directory(top / "notes");
  fs::create_directory(top / Uuid::random().str());
  fs::create_directory(top / "lost+found");
  overwrite(top / Uuid::random().str(), "a file");
  fs::create_directory_symlink(stick.folder, top / Uuid::random().str());
  CHECK(CapsuleDirectory::list(stick.fd()) == std::vector{stick.id});
  const Scratch empty;
  CHECK(CapsuleDirectory::list(empty.fd()).empty());
  CHECK_THROWS_AS(CapsuleDirectory::open(empty.fd(), stick.id), Fault);
}

TEST_CASE("a removed capsule is gone with all its objects, and its neighbour stays") {
  Stick stick;
  commit_next(stick.made, {}, "1");
  const CapsuleId other(Uuid::random());
  CapsuleDirectory::create(stick.fd(), other);
  CapsuleDirectory::remove(stick.fd(), stick.id);
  CHECK_FALSE(fs::exists(stick.folder));
  CHECK(CapsuleDirectory::list(stick.fd()) == std::vector{other});
}

TEST_CASE(
    "a removal that was cut short leaves no capsule, and is done by the next one to be made") {
  Stick stick;
  commit_next(stick.made, {}, "1");
  const fs::path obstacle = stick.folder / "vda/deep/deeper/deepest";
  fs::create_directories(obstacle);
  CHECK_THROWS_AS(CapsuleDirectory::remove(stick.fd(), stick.id), Fault);
  CHECK(fs::exists(stick.folder));
  CHECK(CapsuleDirectory::list(stick.fd()).empty());
  CHECK_THROWS_AS(CapsuleDirectory::remove(stick.fd(), stick.id), Fault);
  fs::remove_all(stick.folder / "vda");
  SECTION("the next to be made") {
    CapsuleDirectory::create(stick.fd(), CapsuleId(Uuid::random()));
  }
  SECTION("the removal, asked for again") { CapsuleDirectory::remove(stick.fd(), stick.id); }
  CHECK_FALSE(fs::exists(stick.folder));
}

TEST_CASE("one slot that says so is enough, and what has lost a slot without it stays") {
  const Stick stick;
  const std::string mark = "Satchel: this machine was removed\n";
  SECTION("one says so") {
    overwrite(stick.folder / "slots/1", mark + std::string(512 - mark.size(), '\0'));
    overwrite(stick.folder / "vda", "");
    CapsuleDirectory::create(stick.fd(), CapsuleId(Uuid::random()));
    CHECK_FALSE(fs::exists(stick.folder));
  }
  SECTION("one is lost") {
    fs::remove(stick.folder / "slots/1");
    overwrite(stick.folder / "vda", "");
    CHECK(CapsuleDirectory::list(stick.fd()).empty());
    CapsuleDirectory::create(stick.fd(), CapsuleId(Uuid::random()));
    CHECK(fs::exists(stick.folder / "vda"));
  }
}

TEST_CASE("removing a capsule does not follow links out of it") {
  const Stick stick;
  const Scratch elsewhere;
  overwrite(elsewhere.path() / "precious", "data");
  fs::create_directory_symlink(elsewhere.path(), stick.folder / "vda");
  fs::create_symlink(elsewhere.path() / "precious", stick.folder / "memory");
  CapsuleDirectory::remove(stick.fd(), stick.id);
  CHECK_FALSE(fs::exists(stick.folder));
  CHECK(contents(elsewhere.path() / "precious") == "data");
}

TEST_CASE("what was begun and never was a capsule goes when the next one is made") {
  const Stick stick;
  const auto begun = [&](const std::string& path, const std::string& bytes) {
    const fs::path place = stick.path() / "satchel" / Uuid::random().str();
    fs::create_directories((place / path).parent_path());
    overwrite(place / path, bytes);
    return place;
  };
  const auto bare = begun("slots/0", std::string(512, '\0'));
  const std::vector others{begun("vda/image.qcow2", ""), begun("heads/1.json", "{}"),
                           begun("slots/0", "SATCHEL")};
  CapsuleDirectory::create(stick.fd(), CapsuleId(Uuid::random()));
  CHECK_FALSE(fs::exists(bare));
  for (const auto& other : others) CHECK(fs::exists(other));
  CHECK(fs::exists(stick.folder));
}

TEST_CASE("an object's digest is the one that b2sum prints, holes included") {
  Stick stick;
  std::mt19937 random(1);
  std::string bytes(100'000, '\0');
  for (auto& c : bytes) c = static_cast<char>(random());
  ObjectWriter writer = stick.made.create_object("vda/layer-1.qcow2");
  writer.write(bytes_of(bytes));
  writer.skip(ByteCount(20U << 20));
  writer.write(bytes_of(bytes));
  writer.skip(ByteCount(12345));
  const Object object = writer.finish();
  const auto file = stick.folder / "vda/layer-1.qcow2";
  CHECK(object.size.value == fs::file_size(file));
  CHECK(object.size.value == 200'000 + (20U << 20) + 12345);
  CHECK(output_of("b2sum -l 256 '" + file.string() + "'").substr(0, 64) == object.digest.hex());
  struct stat about {};
  REQUIRE(::stat(file.c_str(), &about) == 0);
  CHECK(about.st_blocks * 512 < 10 << 20);

  const Object adopted = adopt(stick.made, "vda/layer-1.qcow2");
  CHECK(adopted == object);
}

TEST_CASE("a file that a child wrote in place is taken in with b2sum's digest") {
  Stick stick;
  const std::string path = stick.made.path_for_child("vda/image.qcow2");
  output_of("head -c 3000000 /dev/urandom > " + path);
  std::vector<std::uint64_t> seen;
  const Object object = stick.made.adopt_object(
      "vda/image.qcow2", [&](const Progress& p) { seen.push_back(p.done.value); }, {});
  CHECK(object.size.value == 3000000);
  CHECK(seen.back() == 3000000);
  CHECK(output_of("b2sum -l 256 '" + (stick.folder / "vda/image.qcow2").string() + "'")
            .substr(0, 64) == object.digest.hex());
  Head head = next_head(stick.id, {});
  fill(head, {object});
  CHECK(stick.made.commit(head, host_key()).head == head);
}

TEST_CASE("taking in a file can be stopped") {
  Stick stick;
  output_of("head -c 3000000 /dev/zero > " + stick.made.path_for_child("vda/image.qcow2"));
  std::stop_source stop;
  const auto at_first = [&](const Progress&) { stop.request_stop(); };
  CHECK_THROWS_AS(stick.made.adopt_object("vda/image.qcow2", at_first, stop.get_token()), Fault);
}

TEST_CASE("an object that was not finished leaves nothing") {
  Stick stick;
  {
    ObjectWriter writer = stick.made.create_object("memory/1.pages");
    writer.write(bytes_of("half"));
    CHECK(writer.size() == ByteCount(4));
    CHECK(fs::exists(stick.folder / "memory/1.pages"));
  }
  CHECK_FALSE(fs::exists(stick.folder / "memory/1.pages"));
}

TEST_CASE("what an interrupted writer left is replaced, what a head names never") {
  Stick stick;
  fs::create_directory(stick.folder / "memory");
  overwrite(stick.folder / "memory/1.pages", "left over");
  const SignedHead first = commit_next(stick.made, {}, "1");
  CHECK(contents(stick.folder / "memory/1.pages") == "pages 1");
  const SignedHead second = commit_next(stick.made, first, "2");
  CHECK_THROWS_AS(stick.made.create_object("memory/1.pages"), Fault);
  CHECK_THROWS_AS(stick.made.create_object("memory/2.PAGES"), Fault);
  commit_next(stick.made, second, "3");
  CHECK_NOTHROW(put(stick.made, "memory/1.pages", "new"));
}

TEST_CASE("a symbolic link in a capsule is never followed") {
  Stick stick;
  const Scratch elsewhere;
  overwrite(elsewhere.path() / "secret", "host's own");
  fs::create_directory(stick.folder / "vda");
  fs::create_symlink(elsewhere.path() / "secret", stick.folder / "vda/image.qcow2");
  fs::create_directory_symlink(elsewhere.path(), stick.folder / "memory");
  const Object through{"memory/secret", ByteCount(10), digest_of(std::string_view("host's own"))};
  CHECK_THROWS_AS(stick.made.open_object("vda/image.qcow2", CapsuleDirectory::Access::read), Fault);
  CHECK_THROWS_AS(stick.made.read_object(through, ByteCount(100)), Fault);
  CHECK_THROWS_AS(stick.made.path_for_child("vda/image.qcow2"), Fault);
  auto again = CapsuleDirectory::open(stick.fd(), stick.id);
  CHECK_THROWS_AS(again.create_object("memory/1.pages"), Fault);
  auto third = CapsuleDirectory::open(stick.fd(), stick.id);
  put(third, "vda/image.qcow2", "replaces the link itself");
  CHECK(contents(elsewhere.path() / "secret") == "host's own");
  CHECK(std::distance(fs::directory_iterator(elsewhere.path()), {}) == 1);
}

TEST_CASE("paths outside the rules are refused") {
  Stick stick;
  for (const char* path : {"", "../x", "/etc/passwd", "slots/0", "heads/1.json", "a/b/c", "log"}) {
    CHECK_THROWS_AS(stick.made.open_object(path, CapsuleDirectory::Access::read), Fault);
    CHECK_THROWS_AS(stick.made.create_object(path), Fault);
    CHECK_THROWS_AS(stick.made.path_for_child(path), Fault);
  }
}

TEST_CASE("reading a small object checks its size and its digest") {
  Stick stick;
  const Object object = put(stick.made, "memory/1.map", "the map");
  CHECK(stick.made.read_object(object, ByteCount(100)) == "the map");
  CHECK_THROWS_AS(stick.made.read_object(object, ByteCount(6)), Fault);
  Object longer = object;
  longer.size = ByteCount(8);
  CHECK_THROWS_AS(stick.made.open_checked(longer, CapsuleDirectory::Access::read), Fault);
  overwrite(stick.folder / "memory/1.map", "the mop");
  CHECK_THROWS_AS(stick.made.read_object(object, ByteCount(100)), Fault);
}

TEST_CASE(
    "a head that does not continue the newest generation is refused, and nothing is written") {
  Stick stick;
  const SignedHead first = commit_next(stick.made, {}, "1");
  const SignedHead second = commit_next(stick.made, first, "2");
  const std::string before = listing(stick.folder);
  const auto refuses = [&](const Head& head, Remedy remedy) {
    try {
      stick.made.commit(head, host_key());
      FAIL("was committed");
    } catch (const Fault& fault) {
      INFO(fault.what());
      CHECK(fault.remedy() == remedy);
    }
  };
  refuses(next_head(stick.id, first), Remedy::choose);
  refuses(next_head(stick.id, {}), Remedy::choose);
  Head wrong_parent = next_head(stick.id, second);
  wrong_parent.generation.parent = first.head.generation.id;
  refuses(wrong_parent, Remedy::choose);
  Head too_far = next_head(stick.id, second);
  too_far.generation.seq = Sequence(4);
  refuses(too_far, Remedy::choose);
  refuses(next_head(CapsuleId(Uuid::random()), second), Remedy::report_bug);
  Head unwritten = next_head(stick.id, second);
  fill(unwritten, {{"vda/image.qcow2", ByteCount(5), digest_of(std::string_view("other"))}});
  refuses(unwritten, Remedy::report_bug);
  CHECK(listing(stick.folder) == before);
  // None of that was a failed write: the capsule goes on.
  commit_next(stick.made, second, "3");
}

TEST_CASE("of two computers that both continue a generation, the second is refused") {
  Stick stick;
  const SignedHead first = commit_next(stick.made, {}, "1");
  auto other = CapsuleDirectory::open(stick.fd(), stick.id);
  other.examine();
  commit_next(stick.made, first, "ours");
  CHECK_THROWS_AS(commit_next(other, first, "theirs"), Fault);
}

TEST_CASE("sweeping keeps what both heads name and what is being written, and frees the rest") {
  Stick stick;
  const SignedHead first = commit_next(stick.made, {}, "1");
  const SignedHead second = commit_next(stick.made, first, "2");
  const SignedHead third = commit_next(stick.made, second, "3");
  overwrite(stick.folder / "memory/99.pages", std::string(50'000, 'x'));
  stick.made.append_log("three\ngenerations");
  put(stick.made, "memory/4.pages", "under way");
  CHECK(stick.made.sweep().value >= 50'000);
  for (const char* gone :
       {"heads/1.json", "memory/1.pages", "memory/1.map", "vda/layer-1.qcow2", "memory/99.pages"})
    CHECK_FALSE(fs::exists(stick.folder / gone));
  for (const char* kept :
       {"heads/2.json", "heads/3.json", "memory/2.pages", "memory/3.map", "vda/layer-2.qcow2",
        "vda/image.qcow2", "vda/cow.qcow2", "memory/4.pages"})
    CHECK(fs::exists(stick.folder / kept));
  CHECK(contents(stick.folder / "log") == "three generations\n");
  const Examination found = stick.made.examine();
  CHECK(found.problems.empty());
  CHECK(found.newest->head == third.head);
  CHECK(found.previous->head == second.head);
}

TEST_CASE("sweeping frees nothing while a slot's head can't be read") {
  Stick stick;
  const SignedHead first = commit_next(stick.made, {}, "1");
  commit_next(stick.made, first, "2");
  overwrite(stick.folder / "heads/1.json", "damaged");
  overwrite(stick.folder / "memory/99.pages", "stray");
  CHECK(CapsuleDirectory::open(stick.fd(), stick.id).sweep() == ByteCount(0));
  CHECK(fs::exists(stick.folder / "memory/1.pages"));
}

TEST_CASE("the room on a device is told") {
  const Stick stick;
  const Room room = stick.made.room();
  CHECK(room.free.value > 0);
  CHECK(room.largest_file.value > 0xffffffff);
}
