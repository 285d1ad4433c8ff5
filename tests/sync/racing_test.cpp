// The host's files change while a sync is at work on them: the change stays, in whatever instant.
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "sync/sync_world.hpp"

using namespace satchel;
using namespace satchel::sync;

namespace {

/// Does something of its own just before the contents are read, when the plan has been made.
class Interfering : public PlainTree {
 public:
  Interfering(const fs::path& root, std::function<void()> deed)
      : PlainTree(root), deed_(std::move(deed)) {}
  void read(std::span<const std::string> paths, ContentSink& to, std::stop_token stop) override {
    deed_();
    PlainTree::read(paths, to, stop);
  }

 private:
  std::function<void()> deed_;
};

std::string the_one_beside(const SyncWorld& world, const std::string& front) {
  std::string out;
  for (const auto& each : fs::directory_iterator(world.root / "host"))
    if (each.path().filename().string().starts_with(front + " (from web, ")) {
      CHECK(out.empty());
      out = "host/" + each.path().filename().string();
    }
  REQUIRE_FALSE(out.empty());
  return out;
}

/// Runs in a process of its own, whose mount nobody else sees. Gives the bits of what was wrong; 77
/// when nothing can be mounted.
int fill_a_small_disk() {
  SyncWorld world;
  const std::string host = world.root / "host";
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", host.c_str(), "tmpfs", 0, "size=40m") != 0)
    return 77;
  int wrong = 0;
  try {
    world.write("guest/a", std::string(30'000'000, 'x'));
    PlainTree plain(world.root / "guest");
    if (world.failure(plain) != Remedy::free_space || world.count("host") != 0) wrong |= 1;
    world.write("guest/a", std::string(1'000'000, 'x'));
    world.run();
    world.write("guest/a", std::string(2'000'000, 'y'));
    world.write("guest/b", std::string(9'000'000, 'y'));
    // Somebody else fills the disk after there was found to be enough room.
    Interfering guest(world.root / "guest",
                      [&] { world.write("host/other", std::string(30'000'000, 'z')); });
    if (world.failure(guest) != Remedy::free_space) wrong |= 2;
    if (fs::file_size(host + "/a") != 1'000'000 || world.count("host") != 2) wrong |= 4;
    fs::remove(host + "/other");
    if (world.run().counts.updated != 1 || fs::file_size(host + "/b") != 9'000'000) wrong |= 8;
  } catch (const std::exception&) {
    wrong |= 16;
  }
  ::umount2(host.c_str(), MNT_DETACH);
  return wrong;
}

}  // namespace

TEST_CASE("a host's file that changes after the look at it is not overwritten") {
  SyncWorld world;
  world.write("guest/a", "old");
  world.run();
  world.write("guest/a", "guest");
  Interfering guest(world.root / "guest", [&] { world.write("host/a", "h t"); });
  world.run(guest);
  CHECK(world.read("host/a") == "h t");
  CHECK(world.read(the_one_beside(world, "a")) == "guest");
  CHECK(world.last.counts.conflicts == 1);
  CHECK(world.last.counts.updated == 0);
  CHECK(world.run().nothing_to_do());
}

TEST_CASE("what appears on the host where something new was to come stays") {
  SyncWorld world;
  world.write("guest/a", "guest");
  world.write("guest/folder/b", "guest");
  Interfering guest(world.root / "guest", [&] {
    world.write("host/a", "host");
    fs::remove(world.root / "host/folder");
    fs::create_directory_symlink(world.root / "outside", world.root / "host/folder");
  });
  world.run(guest);
  CHECK(world.read("host/a") == "host");
  CHECK(world.read(the_one_beside(world, "a")) == "guest");
  CHECK(world.count("outside") == 1);
  CHECK(world.line("folder/b").starts_with("! not carried: "));
}

TEST_CASE("a file is gone from the host when its news come: they come as they would to a new one") {
  SyncWorld world;
  world.write("guest/a", "old");
  world.write("guest/anchor", "");
  world.run();
  world.write("guest/a", "guest");
  Interfering guest(world.root / "guest", [&] { fs::remove(world.root / "host/a"); });
  world.run(guest);
  CHECK_FALSE(world.has("host/a"));
  CHECK(world.read(the_one_beside(world, "a")) == "guest");
}

TEST_CASE("a sync that is stopped says so, leaves nothing half written, and is run again") {
  SyncWorld world;
  for (int n = 0; n < 20; ++n) world.write("guest/" + std::to_string(n), std::string(300'000, 'x'));
  std::stop_source stop;
  world.stop = stop.get_token();
  world.progress = [&](const Progress& progress) {
    if (progress.done.value > 3'000'000) stop.request_stop();
  };
  PlainTree guest(world.root / "guest");
  CHECK(world.failure(guest) == Remedy::retry);
  for (const auto& each : fs::directory_iterator(world.root / "host"))
    CHECK(each.path().filename().string().size() < 3);
  world.stop = {};
  ByteCount last;
  world.progress = [&](const Progress& progress) { last = progress.done; };
  world.run();
  CHECK(world.count("host") == 20);
  CHECK(last.value == 6'000'000);
}

TEST_CASE("two syncs of one folder at a time are one too many, and the second says so") {
  SyncWorld world;
  world.write("guest/a", "1");
  Remedy second{};
  Interfering guest(world.root / "guest", [&] {
    PlainTree plain(world.root / "guest");
    second = world.failure(plain);
  });
  world.run(guest);
  CHECK(second == Remedy::retry);
  CHECK(world.said.find("a sync of it is under way") != std::string::npos);
  CHECK(world.read("host/a") == "1");
}

TEST_CASE("a file written within the clock's step of the last look is looked into again") {
  SyncWorld world;
  world.write("guest/a", "1");
  world.run();
  // Same size, same time, the same tick perhaps: only its content tells.
  const auto before = fs::last_write_time(world.root / "guest/a");
  world.order.as_of = UnixNanos(1'600'000'002'000'000'000);
  world.write("guest/a", "2");
  fs::last_write_time(world.root / "guest/a", before);
  CHECK(world.run().counts.updated == 1);
  CHECK(world.read("host/a") == "2");
  ToldTree guest;
  guest.file("a", "2").mtime = UnixNanos(1'600'000'001'000'000'000);
  world.run(guest);
  guest.asked.clear();
  guest.contents["a"] = "3";
  world.run(guest);
  CHECK(guest.asked.size() >= 1);
  CHECK(world.read("host/a") == "3");
}

TEST_CASE("a full disk ends a sync before anything is changed, or at least with nothing lost") {
  if (::geteuid() != 0) {
    WARN("only root can mount a small filesystem");
    return;
  }
  const pid_t child = ::fork();
  if (child == 0) ::_exit(fill_a_small_disk());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WEXITSTATUS(status) == 77) {
    WARN("no filesystem can be mounted here");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}
