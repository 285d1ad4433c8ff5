#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "base/fault.hpp"
#include "session/samples.hpp"
#include "session/session_shelf.hpp"

using namespace satchel;
namespace fs = std::filesystem;

namespace {

struct Place {
  Place() {
    auto name = (fs::temp_directory_path() / "satchel-shelf-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Place() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  fs::path path;
};

void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

mode_t mode(const fs::path& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("a host that never had a session has none") {
  Place place;
  const SessionShelf shelf(place.path);
  CHECK(shelf.all().sessions.empty());
  CHECK_FALSE(shelf.find(CapsuleId(samples::uuid(1))));
  shelf.remove(CapsuleId(samples::uuid(1)));
}

TEST_CASE("what was saved last is found again, by a new shelf as well") {
  Place place;
  auto session = samples::session();
  SessionShelf(place.path).save(session);
  session.phase = Phase::stranded;
  SessionShelf(place.path).save(session);
  SessionShelf(place.path).save(samples::session(9));

  const SessionShelf shelf(place.path);
  const auto found = shelf.all();
  REQUIRE(found.sessions.size() == 2);
  CHECK(found.sessions[0] == session);
  CHECK(found.sessions[1] == samples::session(9));
  CHECK(shelf.find(session.capsule) == session);
}

TEST_CASE("a change to a journal is made to what was saved last, of that session alone") {
  Place place;
  const SessionShelf shelf(place.path);
  const auto run = [](Session& journal) {
    journal.phase = Phase::running;
    return true;
  };
  auto session = samples::session();
  shelf.amend(session.capsule, session.session, run);
  CHECK(fs::is_empty(place.path));
  shelf.save(session);
  session.disks[0].path = "/var/lib/satchel/sessions/a/vda-1.qcow2";
  shelf.save(session);
  shelf.amend(session.capsule, SessionId(samples::uuid(7)), run);
  shelf.amend(session.capsule, session.session, [&](Session& journal) { return !run(journal); });
  CHECK(shelf.find(session.capsule) == session);
  shelf.amend(session.capsule, session.session, run);
  session.phase = Phase::running;
  CHECK(shelf.find(session.capsule) == session);
}

TEST_CASE("a journal is for root alone, and its directory lets QEMU's user through unlisted") {
  Place place;
  const SessionShelf shelf(place.path);
  const auto before = umask(0077);
  shelf.save(samples::session());
  umask(before);
  const auto dir = shelf.directory(samples::session().capsule);
  CHECK(mode(dir) == 0711);
  CHECK(mode(dir / "journal") == 0600);
}

TEST_CASE("a write that was cut short leaves the journal before it") {
  Place place;
  const SessionShelf shelf(place.path);
  shelf.save(samples::session());
  write(shelf.directory(samples::session().capsule) / "journal.new", "{\"version\": 1, \"cap");
  REQUIRE(shelf.all().sessions.size() == 1);
  CHECK(shelf.all().sessions[0] == samples::session());
  shelf.save(samples::session());
  CHECK(shelf.all().sessions[0] == samples::session());
}

TEST_CASE("a journal that can't be read is told and stays as it is, with all beside it") {
  Place place;
  const SessionShelf shelf(place.path);
  shelf.save(samples::session(1));
  shelf.save(samples::session(2));
  const auto dir = shelf.directory(CapsuleId(samples::uuid(1)));
  write(dir / "journal", "not a journal");
  write(dir / "vda.qcow2", "precious");

  const auto found = shelf.all();
  REQUIRE(found.sessions.size() == 1);
  CHECK(found.sessions[0].capsule == CapsuleId(samples::uuid(2)));
  REQUIRE_FALSE(found.unreadable.empty());
  CHECK(found.unreadable[0].where.find((dir / "journal").string()) == 0);
  CHECK(fs::exists(dir / "vda.qcow2"));
  CHECK_THROWS_AS(shelf.find(CapsuleId(samples::uuid(1))), Fault);
}

TEST_CASE("a journal in another capsule's directory is not believed") {
  Place place;
  const SessionShelf shelf(place.path);
  shelf.save(samples::session(1));
  const auto wrong = shelf.directory(CapsuleId(samples::uuid(7)));
  fs::rename(shelf.directory(CapsuleId(samples::uuid(1))), wrong);
  const auto found = shelf.all();
  CHECK(found.sessions.empty());
  CHECK(found.unreadable.size() == 1);
}

TEST_CASE("a directory without a journal is a leftover when nothing in it is needed") {
  Place place;
  const SessionShelf shelf(place.path);
  const CapsuleId capsule(samples::uuid(3));
  CHECK(shelf.is_free(capsule));
  const auto dir = shelf.make_directory(capsule);
  fs::create_directory(place.path / "sessions" / "lost+found");
  SECTION("an empty one") {}
  SECTION("one whose first journal was cut short") {
    write(dir / "journal.new", "{\"version\": 1");
  }
  SECTION("one whose removal was cut short") {
    write(dir / "ended", "");
    write(dir / "vda.qcow2", "x");
  }
  CHECK(shelf.all().leftovers == std::vector<CapsuleId>{capsule});
  CHECK(shelf.all().unreadable.empty());
  CHECK(shelf.is_free(capsule));
  shelf.remove(capsule);
  CHECK(shelf.all().leftovers.empty());
  CHECK_FALSE(fs::exists(dir));
}

TEST_CASE("files of a session that has lost its journal are told, and no leftover") {
  Place place;
  const SessionShelf shelf(place.path);
  const CapsuleId capsule(samples::uuid(3));
  const auto dir = shelf.make_directory(capsule);
  write(dir / "vda.qcow2", "precious");
  CHECK(shelf.all().leftovers.empty());
  REQUIRE(shelf.all().unreadable.size() == 1);
  CHECK(shelf.all().unreadable[0].where == dir.string());
  CHECK_FALSE(shelf.is_free(capsule));
}

TEST_CASE("a session in the place of one whose removal was cut short is not taken for its rest") {
  Place place;
  const SessionShelf shelf(place.path);
  const auto session = samples::session();
  write(shelf.make_directory(session.capsule) / "ended", "");
  shelf.save(session);
  CHECK_FALSE(shelf.is_free(session.capsule));
  fs::remove(shelf.directory(session.capsule) / "journal");
  write(shelf.directory(session.capsule) / "vda.qcow2", "precious");
  CHECK(shelf.all().leftovers.empty());
}

TEST_CASE("a removed session takes its files with it and nothing else") {
  Place place;
  const SessionShelf shelf(place.path);
  shelf.save(samples::session(1));
  shelf.save(samples::session(2));
  write(place.path / "elsewhere", "mine");
  const auto dir = shelf.directory(CapsuleId(samples::uuid(1)));
  write(dir / "vda.qcow2", "x");
  fs::create_symlink(place.path / "elsewhere", dir / "link");
  shelf.remove(CapsuleId(samples::uuid(1)));
  CHECK_FALSE(fs::exists(dir));
  CHECK(fs::exists(place.path / "elsewhere"));
  CHECK(shelf.all().sessions.size() == 1);
}

TEST_CASE("a state directory that can't be written to is a fault with a remedy") {
  const SessionShelf shelf("/proc/self");
  CHECK_THROWS_AS(shelf.save(samples::session()), Fault);
}
