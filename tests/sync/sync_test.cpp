// A guest's folder merged into a host's, as a person sees it.
#include "sync/sync_world.hpp"

using namespace satchel;
using namespace satchel::sync;

TEST_CASE("a script that was made executable in the guest runs on the host afterwards") {
  SyncWorld world;
  world.write("guest/bin/hello", "#!/bin/sh\necho hello from the guest\n", 0755);
  world.write("guest/bin/plain", "#!/bin/sh\n", 0644);
  world.run();
  const std::string command =
      (world.root / "host/bin/hello > ").string() + (world.root / "said").string();
  REQUIRE(::system(command.c_str()) == 0);
  CHECK(world.read("said") == "hello from the guest\n");
  CHECK(world.mode("host/bin/plain") == 0644);

  world.write("guest/bin/plain", "#!/bin/sh\n", 0755);
  world.run();
  CHECK(world.mode("host/bin/plain") == 0755);
  CHECK(world.last.counts.restamped == 1);
}

TEST_CASE("modes stay as private as they are, and as the umask wants them; set-id bits go") {
  SyncWorld world;
  world.order.umask = 027;
  world.write("guest/key", "key", 0600);
  world.write("guest/open", "open", 0666);
  world.write("guest/root-shell", "sh", 06755);
  world.write("guest/locked", "locked", 0000);
  world.run();
  CHECK(world.mode("host/key") == 0600);
  CHECK(world.mode("host/open") == 0640);
  CHECK(world.mode("host/root-shell") == 0750);
  CHECK(world.mode("host/locked") == 0400);
  bool is_told = false;
  for (const auto& each : world.last.lines)
    is_told =
        is_told || (each.path == "root-shell" && each.text.find("set-id") != std::string::npos);
  CHECK(is_told);
  CHECK(world.run().nothing_to_do());
}

TEST_CASE("times come along; a time or a mode that the host has changed itself stays") {
  SyncWorld world;
  world.write("guest/a", "same");
  world.run();
  CHECK(fs::last_write_time(world.root / "guest/a") == fs::last_write_time(world.root / "host/a"));
  world.write("guest/a", "same");
  CHECK(world.run().counts.restamped == 1);
  CHECK(fs::last_write_time(world.root / "guest/a") == fs::last_write_time(world.root / "host/a"));
  world.write("host/a", "same", 0700);
  const auto before = fs::last_write_time(world.root / "host/a");
  world.write("guest/a", "same", 0640);
  CHECK(world.run().nothing_to_do());
  CHECK(world.mode("host/a") == 0700);
  CHECK(fs::last_write_time(world.root / "host/a") == before);
  world.write("guest/a", "news", 0640);
  world.run();
  CHECK(world.read("host/a") == "news");
  CHECK(world.mode("host/a") == 0700);
}

TEST_CASE("a sparse file stays sparse, and its zeros are no change") {
  SyncWorld world;
  const auto path = world.root / "guest/sparse";
  world.write("guest/sparse", "begin");
  fs::resize_file(path, 1U << 30U);
  std::ofstream(path, std::ios::in | std::ios::out | std::ios::ate) << "end";
  world.run();
  struct stat about {};
  REQUIRE(::stat((world.root / "host/sparse").c_str(), &about) == 0);
  CHECK(about.st_size == (1 << 30) + 3);
  CHECK(about.st_blocks * 512 < 1 << 20);
  CHECK(world.last.counts.written.value < 1 << 20);
  const std::string command =
      "cmp -n 65536 " + path.string() + " " + (world.root / "host/sparse").string();
  CHECK(::system(command.c_str()) == 0);
  CHECK(world.run().nothing_to_do());
}

TEST_CASE("zeros that come as data become holes when the guest's file had some") {
  SyncWorld world;
  ToldTree guest;
  std::string content(3U << 20U, '\0');
  content[5000] = 'x';
  content[2'000'000] = 'y';
  guest.file("sparse", content).allocated = ByteCount(8192);
  world.run(guest);
  CHECK(world.read("host/sparse") == content);
  CHECK(world.last.counts.written == ByteCount(8192));
}

TEST_CASE("names of any bytes, deep folders and empty ones come over") {
  SyncWorld world;
  fs::create_directories(world.root / "guest/empty/deeper");
  world.write("guest/new\nline", "1");
  world.write("guest/\xff\xfe\x01", "2");
  world.write("guest/ -rf $(touch x)`*", "3");
  world.write("guest/" + std::string(255, 'n'), "4");
  world.run();
  CHECK(world.has("host/empty/deeper"));
  CHECK(world.read("host/new\nline") == "1");
  CHECK(world.read("host/\xff\xfe\x01") == "2");
  CHECK(world.read("host/ -rf $(touch x)`*") == "3");
  CHECK(world.read("host/" + std::string(255, 'n')) == "4");
  CHECK(world.count("host") == 5);
}

TEST_CASE("a path of ten thousand characters comes, is updated, and goes to the trash") {
  SyncWorld world;
  ToldTree guest;
  guest.file("anchor", "");
  const std::string name(GENERATE(9, 200), 'd');
  std::string path;
  while (path.size() < 10'000) {
    path += (path.empty() ? "" : "/") + name;
    guest.directory(path);
  }
  path += "/file";
  guest.file(path, "far down");
  CHECK(world.run(guest).counts.added == guest.entries.size());
  const auto found = [&] {
    const std::string command =
        "test \"$(find " + (world.root / "host").string() + " -name file -execdir cat {} +)\" = ";
    return [command](const std::string& content) {
      return ::system((command + "'" + content + "'").c_str()) == 0;
    };
  }();
  CHECK(found("far down"));
  guest.entries.pop_back();
  guest.file(path, "changed").mtime = UnixNanos(1);
  CHECK(world.run(guest).counts.updated == 1);
  CHECK(found("changed"));
  CHECK(world.run(guest).nothing_to_do());
  guest.entries.resize(1);
  world.run(guest);
  CHECK(world.count("host") == 2);  // the anchor and the trash
  CHECK(found("changed"));
}

TEST_CASE("a dry run says what would be done, and writes nothing at all") {
  SyncWorld world;
  world.write("guest/a", "1");
  world.write("guest/b", "1");
  world.run();
  world.write("guest/a", "2");
  fs::remove(world.root / "guest/b");
  world.write("guest/c", "3");
  const auto everything = [&] {
    std::string out;
    for (const auto& each : fs::recursive_directory_iterator(world.root)) {
      if (each.path() == world.root / "said") continue;
      struct stat about {};
      REQUIRE(::lstat(each.path().c_str(), &about) == 0);
      out += each.path().string() + " " + std::to_string(about.st_ctim.tv_sec) + "." +
             std::to_string(about.st_ctim.tv_nsec) + " " + std::to_string(about.st_size) + "\n";
    }
    return out;
  };
  const std::string before = everything();
  world.order.extent = Extent::dry_run;
  const auto would = world.run();
  CHECK(everything() == before);
  CHECK(world.line("a") == "~ ");
  CHECK(world.line("b") == "- ");
  CHECK(world.line("c") == "+ ");
  world.order.extent = Extent::whole;
  CHECK(world.run().lines == would.lines);
}

TEST_CASE("a conflict comes beside once, and is settled when the host takes the guest's over") {
  SyncWorld world;
  world.write("guest/letter.odt", "draft");
  world.run();
  world.write("guest/letter.odt", "in the guest");
  world.write("host/letter.odt", "on the host");
  CHECK(world.run().counts.conflicts == 1);
  std::string beside;
  for (const auto& each : fs::directory_iterator(world.root / "host"))
    if (each.path().filename() != "letter.odt") beside = each.path().filename();
  CHECK(beside.starts_with("letter (from web, 2026-11-"));
  CHECK(beside.ends_with(").odt"));
  CHECK(world.read("host/" + beside) == "in the guest");
  CHECK(world.read("host/letter.odt") == "on the host");
  CHECK(world.run().nothing_to_do());

  fs::rename(world.root / "host" / beside, world.root / "host/letter.odt");
  CHECK(world.run().nothing_to_do());
  world.write("guest/letter.odt", "and on");
  CHECK(world.run().counts.updated == 1);
  CHECK(world.read("host/letter.odt") == "and on");
}

TEST_CASE("what was deleted in the guest is in the trash for as many days as set, then gone") {
  SyncWorld world;
  world.write("guest/keep", "k");
  world.write("guest/folder/gone", "content");
  world.run();
  fs::remove_all(world.root / "guest/folder");
  world.run();
  CHECK_FALSE(world.has("host/folder"));
  REQUIRE(world.count("host/.satchel-trash") == 1);
  const auto folder = fs::directory_iterator(world.root / "host/.satchel-trash")->path();
  CHECK(fs::exists(folder / "folder/gone"));
  world.write("host/.satchel-trash/mine", "not of a sync");
  constexpr std::int64_t day = 86'400'000'000'000;
  world.order.now = UnixNanos(world.order.now.value + 29 * day);
  world.run();
  CHECK(fs::exists(folder / "folder/gone"));
  world.order.now = UnixNanos(world.order.now.value + 2 * day);
  world.run();
  CHECK_FALSE(fs::exists(folder));
  CHECK(world.has("host/.satchel-trash/mine"));
}
