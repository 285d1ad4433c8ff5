// Guests, and hosts, that are not as they should be: nothing is lost and nothing else is touched.
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "sync/sync_world.hpp"

using namespace satchel;
using namespace satchel::sync;

TEST_CASE("a guest tree that lies about its paths harms nothing") {
  SyncWorld world;
  ToldTree guest;
  for (const auto* each : {"../outside/secret", "/etc/passwd", "a/../../outside/x", "./b", "a//b",
                           "", "..", "folder/", "no-folder/file", ".satchel-trash/x/y"})
    guest.file(each, "evil");
  guest.directory(".satchel-trash");
  guest.file(std::string("zero\0byte", 9), "evil");
  guest.file("twice", "first");
  guest.file("twice", "other");
  guest.file("file", "content");
  guest.file("file/below", "evil");
  guest.link("link", "file");
  guest.file("link/below", "evil");
  guest.directory("loop");
  guest.link("loop/out", "../../outside");
  guest.link("up", "loop/../../outside");
  guest.link("passwd", "/etc/passwd");
  guest.other("disk", "block device");
  guest.other("socket", "socket");
  guest.file("fine", "content");
  world.run(guest);
  CHECK(world.read("outside/secret") == "secret");
  CHECK(world.count("outside") == 1);
  CHECK(world.count("") == 4);
  CHECK(world.read("host/fine") == "content");
  CHECK(world.read("host/twice") == "other");
  CHECK(fs::read_symlink(world.root / "host/link") == "file");
  CHECK(world.count("host") == 5);  // with "file" and "loop"
  CHECK(world.count("host/loop") == 0);
  for (const auto* each : {"passwd", "up", "loop/out", "disk", "socket", "twice", "file/below",
                           "no-folder/file", ".."})
    CHECK(world.is_told_as_skipped(each));
  CHECK(world.run(guest).nothing_to_do());
}

TEST_CASE("real devices, sockets and FIFOs in the guest's tree are named and left out") {
  SyncWorld world;
  world.write("guest/file", "content");
  REQUIRE(::mkfifo((world.root / "guest/fifo").c_str(), 0666) == 0);
  const bool has_device =
      ::mknod((world.root / "guest/disk").c_str(), S_IFBLK | 0666, ::makedev(7, 0)) == 0;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (world.root / "guest/socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  world.run();
  CHECK(world.count("host") == 1);
  CHECK(world.line("fifo") == "! not carried: it is no file: FIFO");
  CHECK(world.line("socket") == "! not carried: it is no file: socket");
  if (has_device) CHECK(world.line("disk") == "! not carried: it is no file: block device");
}

TEST_CASE(
    "a link on the host is never followed, in whichever place of the guest's tree it stands") {
  SyncWorld world;
  world.write("guest/folder/deeper/file", "1");
  world.write("guest/anchor", "");
  world.run();
  fs::remove_all(world.root / "host/folder");
  fs::create_directories(world.root / "outside/deeper");
  fs::create_directory_symlink(world.root / "outside", world.root / "host/folder");
  world.write("guest/folder/deeper/file", "22");
  world.write("guest/folder/secret", "evil");
  world.run();
  CHECK(world.read("outside/secret") == "secret");
  CHECK(world.count("outside/deeper") == 0);
  CHECK(fs::is_symlink(world.root / "host/folder"));
  std::size_t beside = 0;
  for (const auto& each : fs::directory_iterator(world.root / "host"))
    if (each.path().filename().string().starts_with("folder (from web, ")) {
      ++beside;
      CHECK(fs::file_size(each.path() / "deeper/file") == 2);
      CHECK(fs::file_size(each.path() / "secret") == 4);
    }
  CHECK(beside == 1);
  CHECK(world.run().nothing_to_do());
}

TEST_CASE("a link in the place of the trash ends the sync with nothing moved through it") {
  SyncWorld world;
  world.write("guest/anchor", "");
  world.write("guest/gone", "content");
  world.run();
  fs::create_directory_symlink(world.root / "outside", world.root / "host/.satchel-trash");
  fs::remove(world.root / "guest/gone");
  PlainTree guest(world.root / "guest");
  world.failure(guest);
  CHECK(world.read("host/gone") == "content");
  CHECK(world.count("outside") == 1);
}

TEST_CASE("content that is not as listed is not taken, and what was there stays") {
  SyncWorld world;
  ToldTree guest;
  guest.file("longer", "1").mtime = UnixNanos(1);
  guest.file("shorter", "1").mtime = UnixNanos(1);
  guest.file("fine", "1");
  world.run(guest);
  guest.entries.clear();
  guest.file("longer", "22").size = ByteCount(3);
  guest.file("shorter", "4444").size = ByteCount(3);
  guest.file("fine", "1");
  CHECK(world.run(guest).counts.skipped == 2);
  CHECK(world.read("host/longer") == "1");
  CHECK(world.read("host/shorter") == "1");
  CHECK(world.count("host") == 3);
  guest.entries.clear();
  guest.file("longer", "22");
  guest.file("shorter", "333");
  guest.file("fine", "1");
  CHECK(world.run(guest).counts.updated == 2);
}

TEST_CASE("a file or folder that can't be read in the guest is not taken for deleted") {
  SyncWorld world;
  ToldTree guest;
  guest.file("bad", "content");
  guest.directory("folder");
  guest.file("folder/file", "content");
  guest.file("sibling", "content");
  world.run(guest);
  guest.entries.clear();
  guest.file("bad", "changed").mtime = UnixNanos(1);
  guest.broken["bad"] = "Input/output error";
  guest.directory("folder").what = "Input/output error";
  world.run(guest);
  CHECK(world.read("host/bad") == "content");
  CHECK(world.read("host/folder/file") == "content");
  CHECK_FALSE(world.has("host/sibling"));
  CHECK(world.line("bad") == "! not carried: the guest's can't be read: Input/output error");
  CHECK(world.line("folder") == "! not carried: what is in it can't be listed: Input/output error");
  guest.broken.clear();
  CHECK(world.run(guest).counts.updated == 1);
}

TEST_CASE(
    "what is below a folder that can't be looked at, or is there twice, is not taken for deleted") {
  SyncWorld world;
  ToldTree guest;
  for (const auto* each : {"photos", "films"}) {
    guest.directory(each);
    guest.file(std::string(each) + "/old", "content");
  }
  guest.file("gone", "content");
  world.run(guest);
  guest.entries.clear();
  guest.other("photos", "it can't be looked at");
  guest.directory("films");
  guest.directory("films");
  world.run(guest);
  CHECK(world.read("host/photos/old") == "content");
  CHECK(world.read("host/films/old") == "content");
  CHECK_FALSE(world.has("host/gone"));
  CHECK(world.is_told_as_skipped("photos"));
  CHECK(world.is_told_as_skipped("films"));
}

TEST_CASE("a side that has become empty is refused with its reason, unless it is meant") {
  SyncWorld world;
  world.write("guest/a", "1");
  world.write("guest/b", "2");
  world.run();
  SECTION("the guest's") {
    fs::remove(world.root / "guest/a");
    fs::remove(world.root / "guest/b");
    PlainTree guest(world.root / "guest");
    CHECK(world.failure(guest) == Remedy::choose);
    CHECK(world.said.find("/home/ann/Documents is empty") != std::string::npos);
    CHECK(world.count("host") == 2);
    world.order.emptiness = Emptiness::meant;
    CHECK(world.run().counts.trashed == 2);
    CHECK(world.count("host") == 1);
  }
  SECTION("the host's") {
    fs::remove(world.root / "host/a");
    fs::remove(world.root / "host/b");
    world.write("guest/a", "changed");
    PlainTree guest(world.root / "guest");
    CHECK(world.failure(guest) == Remedy::choose);
    CHECK(world.count("host") == 0);
    world.order.emptiness = Emptiness::meant;
    CHECK(world.run().counts.brought_back == 1);
    CHECK(world.count("host") == 1);
  }
  SECTION("the guest's folder is not there at all") {
    fs::remove_all(world.root / "guest");
    PlainTree guest(world.root / "guest");
    world.failure(guest);
    CHECK(world.count("host") == 2);
  }
}

TEST_CASE("as somebody without rights, what may not be read or written is left with a line") {
  if (::geteuid() != 0) {
    WARN("only root can become somebody else");
    return;
  }
  SyncWorld world;
  world.write("guest/mine", "1");
  world.write("guest/folder/file", "1");
  world.write("guest/closed", "1");
  world.write("host/closed", "2");
  world.write("host/folder/roots", "root's");
  REQUIRE(::chmod((world.root / "host/closed").c_str(), 0600) == 0);
  REQUIRE(::chmod(world.root.c_str(), 0755) == 0);
  for (const auto* each : {"host", "state"})
    REQUIRE(::chown((world.root / each).c_str(), 65534, 65534) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    int wrong = 100;
    try {
      if (::setgid(65534) == 0 && ::setuid(65534) == 0) {
        world.run();
        wrong = (world.has("host/mine") ? 0 : 1) +
                (world.line("folder/file").starts_with("! not carried: ") ? 0 : 2) +
                (world.line("closed").starts_with("! not carried: ") ? 0 : 4) +
                (world.has("host/folder/file") ? 8 : 0);
      }
    } catch (const std::exception&) {
      wrong = 101;
    }
    ::_exit(wrong);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 0);
}
